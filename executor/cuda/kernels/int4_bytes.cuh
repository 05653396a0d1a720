#pragma once
#include <cstddef>

#include "executor/cuda/kernels/hopper.cuh"
#include "executor/cuda/kernels/int4.cuh"
#include "executor/cuda/kernels/mma.cuh"

// Matrix units multiply bytes: expanding int4 to bf16 took longer than fetching it. x becomes integers of 24
// bits relative to the largest of its group, cut into three bytes, which are three of the eight columns that
// matrix units multiply by anyway; sums are exact.

namespace inferometer::cuda::int4_bytes {

/// A group of x in 23 bits relative to its largest: round(x 2^(148 - e)), with e the (biased) exponent of
/// that, is 65536 high + 256 middle + low. Where one is infinite or NaN, so is what comes of it (NaN).
struct Group {
  /// [column / 16]: high, middle and low, of columns 2 c, 2 c + 8, 2 c + 1 and 2 c + 9 from 4 c on, as int4
  /// words have them
  std::int8_t x[int4_group / 16][3][16];
  struct {
    int sum;     ///< of 256 high + middle; of 256 low
    float unit;  ///< what that counts
  } parts[2];
};
static_assert(sizeof(Group) == 400);
/// What columns beyond the third are, as far apart as parts of a group are read.
using Zeros = uint4[sizeof(Group::x[0]) * 4 / 16 + 1];

#ifdef INFEROMETER_HOPPER
/// What is at an address in shared memory.
template <class T>
__device__ __forceinline__ T load_shared(std::uint32_t address) {
  T x;
  if constexpr (sizeof(T) == 16) {
    asm volatile("ld.shared.v4.u32 {%0,%1,%2,%3}, [%4];"
                 : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w)
                 : "r"(address));
  } else if constexpr (sizeof(T) == 8) {
    asm volatile("ld.shared.v2.u32 {%0,%1}, [%2];" : "=r"(x.x), "=r"(x.y) : "r"(address));
  } else {
    static_assert(sizeof(T) == 2);
    asm volatile("ld.shared.u16 %0, [%1];" : "=h"(x) : "r"(address));
  }
  return x;
}

/// Four values of x.
struct Four {
  unsigned first = 0, second = 0;  ///< bf16 of two columns; of two behind, or of those eight behind the first

  __device__ __forceinline__ static float low(unsigned pair) { return __uint_as_float(pair << 16); }
  __device__ __forceinline__ static float high(unsigned pair) { return __uint_as_float(pair & 0xffff0000U); }
};
/// By a warp.
__device__ __forceinline__ void make_group(Group& group, const Four& x) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const auto larger = [](unsigned pair) { return max(pair & 0x7fffU, pair >> 16 & 0x7fffU); };
  const unsigned largest = __reduce_max_sync(~0U, max(larger(x.first), larger(x.second)));
  constexpr int least = 34;  // below, a sixteenth of the low bytes' unit would be no float
  const int e = max(static_cast<int>(largest >> 7), least);
  const float scale = __int_as_float((275 - e) << 23);
  // A float this large holds integers. Bytes that 128 was added to are without signs.
  constexpr float integers = 0x1.8p23F;
  const auto bytes_of = [&](float v) {
    return __float_as_uint(fmaf(v, scale, integers)) - __float_as_uint(integers) + 0x808080U;
  };
  const unsigned v[4] = {bytes_of(Four::low(x.first)), bytes_of(Four::low(x.second)),
                         bytes_of(Four::high(x.first)), bytes_of(Four::high(x.second))};
  // Low and middle bytes of two; then the same bytes of all four.
  const unsigned first = __byte_perm(v[0], v[1], 0x5140), second = __byte_perm(v[2], v[3], 0x5140);
  const unsigned bytes[3] = {
      __byte_perm(__byte_perm(v[0], v[1], 0x0062), __byte_perm(v[2], v[3], 0x0062), 0x5410) ^ 0x80808080U,
      __byte_perm(first, second, 0x7632) ^ 0x80808080U, __byte_perm(first, second, 0x5410) ^ 0x80808080U};
  const int word = lane % 2 * 2 + lane % 4 / 2;  // as exchange() leaves them
  int sums[3];
#pragma unroll
  for (int p = 0; p < 3; ++p) {
    *reinterpret_cast<unsigned*>(&group.x[lane / 4][p][word * 4]) = bytes[p];
    sums[p] = __dp4a(static_cast<int>(bytes[p]), 0x01010101, 0);
  }
  const int upper = __reduce_add_sync(~0U, 256 * sums[0] + sums[1]),
            lower = __reduce_add_sync(~0U, 256 * sums[2]);
  if (lane != 0) return;
  const bool finite = e < 255;
  group.parts[0] = {upper, __int_as_float(finite ? (e - 13) << 23 : 0x7fffffff)};
  group.parts[1] = {lower, __int_as_float(finite ? (e - 29) << 23 : 0x7fffffff)};
}
/// Four neighbours of a row [in] in whole sectors of memory, which all blocks ask the L2 cache for; behind
/// the row's end zeros.
__device__ __forceinline__ Four load_four(const Bf16* row, int in, int at) {
  if (at >= in) return {};
  const uint2 four = __ldcg(reinterpret_cast<const uint2*>(row + at));
  return {four.x, four.y};
}
/// Neighbours become columns that int4 words have together: lanes whose columns are eight apart exchange.
__device__ __forceinline__ Four exchange(const Four& x) {
  const bool upper = threadIdx.x % 4 >= 2;
  const unsigned other = __shfl_xor_sync(~0U, upper ? x.first : x.second, 2);
  return upper ? Four{other, x.second} : Four{x.first, other};
}
template <class F>
__device__ __forceinline__ Four each(const Four& x, const Four& y, F f) {
  const auto both = [&](unsigned a, unsigned b) {
    return pack(f(Four::low(a), Four::low(b)), f(Four::high(a), Four::high(b)));
  };
  return {both(x.first, y.first), both(x.second, y.second)};
}
__device__ __forceinline__ float squares_of(const Four& x) {
  const float a = Four::low(x.first), b = Four::high(x.first), c = Four::low(x.second),
              d = Four::high(x.second);
  return fmaf(a, a, fmaf(b, b, fmaf(c, c, d * d)));
}

/// Of a lane, in shared memory.
struct Operands {
  std::uint32_t q, scales, zeros;  ///< of the first rows
  std::uint32_t x, x_bytes;        ///< first group's, and how far apart groups are
  std::uint32_t parts;

  __device__ __forceinline__ Operands(const Int4Rows* rows, const Group* groups, const Zeros& none) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const std::uint32_t w = shared_address(rows);
    q = w + offsetof(Int4Rows, q) + lane * 16;
    scales = w + offsetof(Int4Rows, scales) + lane / 4 * 8;
    zeros = w + offsetof(Int4Rows, zeros) + lane / 4 * 2;
    // Columns beyond the third are zeros.
    const bool there = lane % 8 < 3;
    x = there ? shared_address(groups) + lane / 8 * sizeof(groups->x[0]) + lane % 8 * 16
              : shared_address(&none);
    x_bytes = there ? sizeof(Group) : 0;
    parts = shared_address(groups->parts + lane % 2);
    // Kept, not computed anew wherever they are used.
    asm volatile("" : "+r"(q), "+r"(scales), "+r"(zeros), "+r"(x), "+r"(x_bytes), "+r"(parts));
  }
};

/// total += of 32 rows of one group of inputs.   offset: bytes from the first rows to them   total: of rows
/// l / 4 + 8 i in element i; lanes with l % 4 = 0 have the upper bytes' part, those with 1 the lowest's,
/// others nothing of use
__device__ __forceinline__ void multiply(float (&total)[4], const Operands& at, std::uint32_t offset,
                                         int group) {
  const std::uint32_t x = at.x + group * at.x_bytes;
  int d[2][4] = {};
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    unsigned b[4];
    load_matrices<false>(b, x + static_cast<unsigned>(half * 4 * sizeof(Group::x[0])));
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const uint4 words = load_shared<uint4>(at.q + offset + (r * 64 + half * 32) * 16);
      // Upper nibbles, of the rows eight below, stay where they are: 16 times their value.
      constexpr unsigned lower = 0x0f0f0f0fU, upper = 0xf0f0f0f0U;
      multiply_add(d[r], {words.x & lower, words.x & upper, words.y & lower, words.y & upper}, b[0], b[1]);
      multiply_add(d[r], {words.z & lower, words.z & upper, words.w & lower, words.w & upper}, b[2], b[3]);
    }
  }
  const uint2 scales = load_shared<uint2>(at.scales + offset);
  const unsigned zeros = load_shared<std::uint16_t>(at.zeros + offset);
  const uint2 part = load_shared<uint2>(at.parts + group * sizeof(Group));
  const float unit = __uint_as_float(part.y), units[2] = {unit, unit / 16};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int zero = static_cast<int>(zeros >> (i / 2 * 8) & (i % 2 == 0 ? 0x0fU : 0xf0U));
    const int value = d[i / 2][i % 2 * 2] * 256 + d[i / 2][i % 2 * 2 + 1] - zero * static_cast<int>(part.x);
    total[i] = fmaf(half_bits(i / 2 == 0 ? scales.x : scales.y, i % 2) * units[i % 2],
                    static_cast<float>(value), total[i]);
  }
}
#endif

}  // namespace inferometer::cuda::int4_bytes
