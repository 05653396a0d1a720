#pragma once
#include "executor/cpu/arguments.hpp"
#include "executor/cpu/isa/vector.hpp"

namespace inferometer::cpu::INFEROMETER_ISA {

/// Independent chains of multiply-adds that stay in registers, two of which hold constants: more of them than
/// the 10 that two units with a latency of 5 cycles need.
inline void multiply_adds(MultiplyAddArguments& a) {
  constexpr int chains = registers - 4;
  Lanes x[chains];
  for (int c = 0; c < chains; ++c) x[c] = all(static_cast<float>(c));
  const Lanes factor = all(0.999F), summand = all(0.001F);
  for (std::int64_t i = 0; i < a.iterations; ++i) {
#pragma GCC unroll 32
    for (int c = 0; c < chains; ++c) x[c] = x[c] * factor + summand;
  }
  Lanes sum = x[0];
  for (int c = 1; c < chains; ++c) sum += x[c];
  a.sum = sum[0];
  a.flops = a.iterations * chains * lanes * 2;
}

}  // namespace inferometer::cpu::INFEROMETER_ISA
