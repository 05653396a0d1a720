#pragma once
#include "executor/cuda/kernels/int4_stages.cuh"
#include "executor/cuda/kernels/mma.cuh"

// A group of int4 weights times few tokens on matrix units, by warps: 32 rows each, and what the tokens sum
// up to.
#ifdef INFEROMETER_HOPPER
namespace inferometer::cuda::int4_streaming {

/// A lane's part of 32 rows of a group.
struct Lane {
  uint4 q[2][2];  ///< [row / 16][column / 64]
  uint2 scales;
  unsigned zeros;

  __device__ __forceinline__ explicit Lane(const Int4Rows& rows) {
    const int lane = threadIdx.x % 32, at = lane / 4 * 4;
    const auto* words = reinterpret_cast<const uint4*>(rows.q) + lane;
#pragma unroll
    for (int i = 0; i < 4; ++i) q[i / 2][i % 2] = words[i * 32];
    scales = *reinterpret_cast<const uint2*>(rows.scales + at);
    zeros = *reinterpret_cast<const std::uint16_t*>(rows.zeros + at / 2);
  }
};

/// 32 columns of 8 tokens, from column `half` * 64 + `two` * 32 of a group and token `tile` * 8.
template <int N>
__device__ __forceinline__ void load_tokens(unsigned (&b)[4], std::uint32_t x, int half, int two, int tile) {
  const int row = static_cast<int>(threadIdx.x) % 8, piece = two * 4 + static_cast<int>(threadIdx.x) % 32 / 8;
  const int at = half * N * 128 + (tile * 8 + row) * 128 + (piece ^ row) * 16;
  load_matrices<false>(b, x + static_cast<unsigned>(at));
}

/// Sums of x over the columns of a group, of each token, by a warp: as products with ones.
template <int N, int P>
__device__ __forceinline__ void sum_tokens(Shared<N, P>& shared, int stage, unsigned phase) {
  constexpr unsigned ones = 0x3f803f80;
  constexpr int tiles = N / 8;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  float d[tiles][4] = {};
  wait(shared.of_x.full + stage, phase);
  __syncwarp();  // lanes come from a branch and from polling
#pragma unroll
  for (int i = 0; i < 4; ++i) {
#pragma unroll
    for (int t = 0; t < tiles; ++t) {
      unsigned b[4];
      load_tokens<N>(b, shared_address(shared.x[stage]), i / 2, i % 2, t);
#pragma unroll
      for (int k = 0; k < 2; ++k) multiply_add<false>(d[t], {ones, ones, ones, ones}, b[2 * k], b[2 * k + 1]);
    }
  }
  if (lane < 4) {
#pragma unroll
    for (int t = 0; t < tiles; ++t)
      *reinterpret_cast<float2*>(shared.x_sums[stage] + t * 8 + lane * 2) = make_float2(d[t][0], d[t][1]);
  }
  __syncwarp();
  if (lane == 0) {
    arrive(shared.summed + stage);
    arrive(shared.of_x.empty + stage);
  }
}

/// What zero points, and the 128 that unpacked weights are too large by, make of a group's sums.
template <int N>
__device__ __forceinline__ void start_below(float (&d)[2][N / 8][4], const Lane& w, const float* x_sums) {
  float below[4];  // of this lane's first row and those 8, 16 and 24 below
#pragma unroll
  for (int i = 0; i < 4; ++i) below[i] = -zero_float(w.zeros >> (4 * i) & 15U);
#pragma unroll
  for (int t = 0; t < N / 8; ++t) {
    const float2 two =
        *reinterpret_cast<const float2*>(x_sums + t * 8 + static_cast<int>(threadIdx.x) % 4 * 2);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
#pragma unroll
      for (int e = 0; e < 4; ++e) d[r][t][e] = below[r * 2 + e / 2] * (e % 2 == 0 ? two.x : two.y);
    }
  }
}

/// total += 32 rows of a group.   total [2][N / 8][4]: 16 rows, 8 tokens, and of them what mma.m16n8k16
/// leaves a lane   x: in shared memory   Sums: zero points are subtracted by x_sums, the group's, instead of
/// from each weight
template <int N, bool Sums>
__device__ __forceinline__ void multiply_rows(float (*total)[4], const Lane& w, std::uint32_t x,
                                              const float* x_sums) {
  constexpr int tiles = N / 8;
  unsigned zeros[4];  // of this lane's first row and those 8, 16 and 24 below
  float d[2][tiles][4] = {};
  if constexpr (Sums) {
    start_below<N>(d, w, x_sums);
  } else {
#pragma unroll
    for (int i = 0; i < 4; ++i) zeros[i] = zero_pair(w.zeros >> (4 * i) & 15U);
  }
#pragma unroll
  for (int half = 0; half < 2; ++half) {
#pragma unroll
    for (int two = 0; two < 2; ++two) {
      unsigned a[2][2][4];
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        const uint4& words = w.q[r][half];
        unpack_word(a[r][0], two == 0 ? words.x : words.z);
        unpack_word(a[r][1], two == 0 ? words.y : words.w);
        if constexpr (!Sums) {
#pragma unroll
          for (int i = 0; i < 8; ++i) a[r][i / 4][i % 4] = subtract(a[r][i / 4][i % 4], zeros[r * 2 + i % 2]);
        }
      }
#pragma unroll
      for (int t = 0; t < tiles; ++t) {
        unsigned b[4];
        load_tokens<N>(b, x, half, two, t);
#pragma unroll
        for (int k = 0; k < 2; ++k) {
#pragma unroll
          for (int r = 0; r < 2; ++r) multiply_add<false>(d[r][t], a[r][k], b[2 * k], b[2 * k + 1]);
        }
      }
    }
  }
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const unsigned bits = r == 0 ? w.scales.x : w.scales.y;
#pragma unroll
    for (int t = 0; t < tiles; ++t) {
#pragma unroll
      for (int e = 0; e < 4; ++e)
        total[r * tiles + t][e] = fmaf(half_bits(bits, e / 2), d[r][t][e], total[r * tiles + t][e]);
    }
  }
}

}  // namespace inferometer::cuda::int4_streaming
#endif
