#pragma once
#include <cstdint>

namespace inferometer::cpu {

/// Storage of a bfloat16: the upper half of an IEEE single.
struct bf16 {
  std::uint16_t bits;
};

// Always inlined: files that are compiled for a newer instruction set use these too, and a shared
// out-of-line copy with their instructions would be called from everywhere.
[[gnu::always_inline]] constexpr float to_float(float x) { return x; }
[[gnu::always_inline]] constexpr float to_float(bf16 x) {
  return __builtin_bit_cast(float, static_cast<std::uint32_t>(x.bits) << 16);
}

/// Rounds to the nearest, ties to even. NaN stays NaN.
[[gnu::always_inline]] constexpr bf16 to_bf16(float x) {
  const auto u = __builtin_bit_cast(std::uint32_t, x);
  if (x != x) return {static_cast<std::uint16_t>((u >> 16) | 0x40)};
  return {static_cast<std::uint16_t>((u + 0x7fffU + ((u >> 16) & 1U)) >> 16)};
}

template <class T>
[[gnu::always_inline]] constexpr T from_float(float x) {
  if constexpr (sizeof(T) == sizeof(bf16)) {
    return to_bf16(x);
  } else {
    return x;
  }
}

}  // namespace inferometer::cpu
