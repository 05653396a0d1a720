#pragma once
#include "executor/cpu/isa/pointwise.hpp"

namespace inferometer::cpu::INFEROMETER_ISA {

/// R rows of x with one row of weights. The compiler turns the loop into widening multiply-adds (vpmaddwd).
template <int R>
inline void integer_rows(const std::int8_t* x, const std::int8_t* w, std::int64_t in, std::int32_t* sums,
                         std::int64_t out) {
  std::int32_t totals[R] = {};
  for (int r = 0; r < R; ++r) {
    const std::int8_t* row_of_x = x + r * in;
    std::int32_t total = 0;
    for (std::int64_t i = 0; i < in; ++i) total += row_of_x[i] * w[i];
    totals[r] = total;
  }
  for (int r = 0; r < R; ++r) sums[r * out] = totals[r];
}

/// For CPUs without 8-bit dot products (VNNI, AMX): there oneDNN adds pairs of products in 16 bits, which
/// saturate. A block of weights stays in the nearest cache while all rows of x pass by.
inline void integer_product(const IntegerProductArguments& a) {
  constexpr std::int64_t block = 8;
  rows((a.out + block - 1) / block, block * a.in * a.tokens, [&](std::int64_t b) {
    const std::int64_t end = (b + 1) * block < a.out ? (b + 1) * block : a.out;
    std::int64_t t = 0;
    for (; t + 4 <= a.tokens; t += 4) {
      for (std::int64_t o = b * block; o < end; ++o) {
        integer_rows<4>(a.x + t * a.in, a.w + o * a.in, a.in, a.sums + t * a.out + o, a.out);
      }
    }
    for (; t < a.tokens; ++t) {
      for (std::int64_t o = b * block; o < end; ++o) {
        integer_rows<1>(a.x + t * a.in, a.w + o * a.in, a.in, a.sums + t * a.out + o, a.out);
      }
    }
  });
}

}  // namespace inferometer::cpu::INFEROMETER_ISA
