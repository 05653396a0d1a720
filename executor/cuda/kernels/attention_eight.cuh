#pragma once
#include "executor/cuda/kernels/attention_tiles.cuh"
#include "executor/cuda/kernels/mma.cuh"

// Eight rows of queries against tiles of 16 keys in shared memory, by one warp on matrix units. Keys and
// columns of values take the sixteen rows of the instructions, queries the eight columns: half the
// instructions and half the registers of SixteenRows.
// source: Dao, "FlashAttention-2", arXiv 2307.08691; fragment layouts: PTX ISA 9.0, mma.m16n8k16, movmatrix
#ifdef INFEROMETER_HOPPER
namespace inferometer::cuda {

/// Queries, running maxima and sums, and outputs of 8 rows. Lane l has the queries of row l / 4, and of rows
/// 2 (l % 4) and the next the scores of keys l / 4 and l / 4 + 8 of a tile, and as many columns of outputs.
template <int D>
struct EightRows {
  static constexpr int keys = 16;
  unsigned q[D / 16][2];
  float o[D / 16][4] = {};  ///< of two columns two rows each
  float top[2] = {-INFINITY, -INFINITY}, sum[2] = {};
  Visible sees[2];

  /// row_at(row): where that row of queries lies, aligned to 4 bytes
  template <class RowAt>
  __device__ __forceinline__ EightRows(const AttentionArguments& a, const Sequence& s, RowAt row_at) {
    const int lane = static_cast<int>(threadIdx.x) % 32, group = a.heads / a.cache.kv_heads,
              rows = s.fresh * group, row = lane / 4;
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      const int last = s.cached + min(lane % 4 * 2 + e, rows - 1) / group;
      sees[e] = {a.window > 0 && last >= a.window ? last - a.window + 1 : 0, last};
    }
    const unsigned* two = reinterpret_cast<const unsigned*>(row_at(min(row, rows - 1)) + lane % 4 * 2);
#pragma unroll
    for (int k = 0; k < D / 16; ++k) {
      q[k][0] = row < rows ? two[8 * k] : 0U;
      q[k][1] = row < rows ? two[8 * k + 4] : 0U;
    }
  }

  /// Keys [first, first + 16) and their values, which lie as a block of 16 tokens does in the cache.
  /// scale: of scores, times log2 e
  __device__ __forceinline__ void attend(const Bf16* k, const Bf16* v, int first, float scale) {
    const int lane = static_cast<int>(threadIdx.x) % 32, in8 = lane % 8, m = lane / 8;
    const std::uint32_t key_tile = shared_address(k), value_tile = shared_address(v);
    float even[4] = {}, odd[4] = {};
#pragma unroll
    for (int j = 0; j < D / 16; ++j) {
      unsigned a[4];
      load_matrices<false>(a, place(key_tile, in8 + m % 2 * 8, 2 * j + m / 2));
      multiply_add<false>(j % 2 == 0 ? even : odd, a, q[j][0], q[j][1]);
    }
    unsigned p[2];
    soften(even, odd, first, scale, p);
#pragma unroll
    for (int j = 0; j < D / 16; ++j) {
      unsigned a[4];
      load_matrices<true>(a, place(value_tile, in8 + m / 2 * 8, 2 * j + m % 2));
      multiply_add<false>(o[j], a, p[0], p[1]);
    }
  }

  /// After the last tile.   tops, sums: of this warp   values: its rows, `stride` apart
  __device__ __forceinline__ void write(int rows, float* tops, float* sums, float* values, int stride) const {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const float all[2] = {warp_sum<32, 4>(sum[0]), warp_sum<32, 4>(sum[1])};
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      const int row = lane % 4 * 2 + e;
      if (row >= rows) continue;
      if (lane / 4 == 0) {
        tops[row] = top[e];
        sums[row] = all[e];
      }
#pragma unroll
      for (int j = 0; j < D / 16; ++j) {
        values[row * stride + j * 16 + lane / 4] = o[j][e];
        values[row * stride + j * 16 + lane / 4 + 8] = o[j][e + 2];
      }
    }
  }

 private:
  /// Of 16 bytes of a tile.
  static __device__ __forceinline__ std::uint32_t place(std::uint32_t tile, int row, int piece) {
    return tile + static_cast<std::uint32_t>(cache_place<Bf16>(row, piece * 8, D, keys) *
                                             static_cast<int>(sizeof(Bf16)));
  }

  /// Scores even + odd become weights p relative to the rows' running maxima.
  __device__ __forceinline__ void soften(const float (&even)[4], const float (&odd)[4], int first,
                                         float scale, unsigned (&p)[2]) {
    const int key = first + static_cast<int>(threadIdx.x) % 32 / 4;
    const bool whole = first >= sees[1].first && first + keys - 1 <= sees[0].last;
    float weights[4];
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      float s[2];
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        const int at = key + 8 * h;
        s[h] = whole || (at >= sees[e].first && at <= sees[e].last)
                   ? (even[2 * h + e] + odd[2 * h + e]) * scale
                   : -INFINITY;
      }
      const float most = fmaxf(top[e], warp_max<32, 4>(fmaxf(s[0], s[1])));
      const float base = most == -INFINITY ? 0.0F : most, shrink = power_of_two(top[e] - base);
      weights[e] = power_of_two(s[0] - base);
      weights[2 + e] = power_of_two(s[1] - base);
      sum[e] = sum[e] * shrink + weights[e] + weights[2 + e];  // of this lane's keys
      top[e] = most;
#pragma unroll
      for (int j = 0; j < D / 16; ++j) {
        o[j][e] *= shrink;
        o[j][e + 2] *= shrink;
      }
    }
    p[0] = transposed(pack(weights[0], weights[1]));
    p[1] = transposed(pack(weights[2], weights[3]));
  }
};

}  // namespace inferometer::cuda
#endif
