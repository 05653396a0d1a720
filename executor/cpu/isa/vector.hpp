#pragma once
#include <cstdint>

#include "executor/cpu/bf16.hpp"

// The files of this folder are compiled once for each instruction set, each time in a namespace of its own:
// the linker must not replace a function of one by its namesake of another. For the same reason they use
// nothing of the standard library that could be emitted out of line.
#ifndef INFEROMETER_ISA
#define INFEROMETER_ISA baseline
#endif

namespace inferometer::cpu::INFEROMETER_ISA {

// One register of the instruction set: what is wider, GCC keeps in memory and moves with every operation.
#if defined(__AVX512F__)
inline constexpr int lanes = 16, registers = 32;
#elif defined(__AVX2__)
inline constexpr int lanes = 8, registers = 16;
#elif defined(__aarch64__)
inline constexpr int lanes = 4, registers = 32;
#else
inline constexpr int lanes = 4, registers = 16;
#endif
using Lanes [[gnu::vector_size(lanes * 4)]] = float;
using Ints [[gnu::vector_size(lanes * 4)]] = std::int32_t;
using Halves [[gnu::vector_size(lanes * 2)]] = std::uint16_t;
using Chars [[gnu::vector_size(lanes)]] = std::int8_t;
using Words [[gnu::vector_size(lanes * 4)]] = std::uint32_t;

inline Lanes all(float x) { return x - Lanes{}; }  // exact, also for -0 and infinities
inline Lanes select(Ints mask, Lanes a, Lanes b) { return (Lanes)((mask & (Ints)a) | (~mask & (Ints)b)); }
inline Lanes max(Lanes a, Lanes b) { return a > b ? a : b; }
inline Lanes min(Lanes a, Lanes b) { return a < b ? a : b; }
inline Lanes magnitude(Lanes a) { return (Lanes)((Ints)a & 0x7fffffff); }

inline Lanes load(const float* p) {
  Lanes x;
  __builtin_memcpy(&x, p, sizeof x);
  return x;
}
inline Lanes load(const bf16* p) {
  Halves h;
  __builtin_memcpy(&h, p, sizeof h);
  return (Lanes)(__builtin_convertvector(h, Words) << 16);
}
inline void store(float* p, Lanes x) { __builtin_memcpy(p, &x, sizeof x); }
inline void store(bf16* p, Lanes x) {
  const Words u = (Words)x;
  const Words rounded = (u + 0x7fffU + ((u >> 16) & 1U)) >> 16;
  const Words quiet = (u >> 16) | 0x40U;  // rounding could carry a NaN into an infinity
  const Halves h = __builtin_convertvector(x == x ? rounded : quiet, Halves);
  __builtin_memcpy(p, &h, sizeof h);
}
/// The first n < lanes elements; the other lanes are 0.
template <class T>
inline Lanes load_part(const T* p, std::int64_t n) {
  T buffer[lanes] = {};
  for (std::int64_t i = 0; i < n; ++i) buffer[i] = p[i];
  return load(buffer);
}
template <class T>
inline void store_part(T* p, Lanes x, std::int64_t n) {
  T buffer[lanes];
  store(buffer, x);
  for (std::int64_t i = 0; i < n; ++i) p[i] = buffer[i];
}
template <class T>
inline Lanes load_upto(const T* p, std::int64_t n) {
  return n >= lanes ? load(p) : load_part(p, n);
}
template <class T>
inline void store_upto(T* p, Lanes x, std::int64_t n) {
  n >= lanes ? store(p, x) : store_part(p, x, n);
}

inline float sum(Lanes x) {
  float total = 0;
  for (int step = lanes / 2; step > 0; step /= 2) {
    for (int i = 0; i < step; ++i) x[i] += x[i + step];
  }
  return total + x[0];
}
inline float largest(Lanes x) {
  float top = x[0];
  for (int i = 1; i < lanes; ++i) top = top < x[i] ? x[i] : top;
  return top;
}

/// eˣ with a relative error below 2e-7 between -87 and 88, 0 below, infinity above; NaN stays NaN.
/// x = n ln 2 + r, |r| <= ln(2) / 2, and the Taylor polynomial of degree 7 for eʳ (its remainder is 6e-9):
/// our own, so that results depend neither on the C library nor on how far it is vectorised.
inline Lanes exp(Lanes x) {
  const Lanes bounded = min(max(x, all(-87.0F)), all(88.0F));
  const Lanes magic = all(12582912.0F);  // 1.5 * 2^23: adding it rounds to an integer
  const Lanes n = (bounded * 1.44269504F + magic) - magic;
  const Lanes r = (bounded - n * 0.693359375F) - n * -2.12194440e-4F;  // ln 2 in two parts (Cody and Waite)
  constexpr float taylor[] = {1.0F / 5040, 1.0F / 720, 1.0F / 120, 1.0F / 24, 1.0F / 6, 0.5F, 1.0F, 1.0F};
  Lanes y{};
  for (const float c : taylor) y = y * r + c;
  const Ints power = (__builtin_convertvector(n, Ints) + 127) << 23;
  const Lanes result = select(x < -87.0F, Lanes{}, y * (Lanes)power);
  return select(x <= 88.0F, result, x * __builtin_inff());  // NaN compares false
}

}  // namespace inferometer::cpu::INFEROMETER_ISA
