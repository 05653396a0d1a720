#pragma once
#include "executor/cuda/kernels/attention_tiles.cuh"
#include "executor/cuda/kernels/mma.cuh"

// Sixteen rows of queries against tiles of keys in shared memory, by one warp on matrix units (mma.sync).
// source: Dao, "FlashAttention-2", arXiv 2307.08691; fragment layouts: PTX ISA 9.0, mma.m16n8k16
#ifdef INFEROMETER_HOPPER
namespace inferometer::cuda {

/// Queries, running maxima and sums, and outputs of 16 rows. Lane l holds of rows l / 4 and l / 4 + 8 the
/// columns 2 (l % 4) and 2 (l % 4) + 1 of each 8. Tiles of keys and values lie as [D / 64][Keys][64].
template <int D, int Keys>
struct SixteenRows {
  unsigned q[D / 16][4];
  float o[D / 8][4] = {};
  float top[2] = {-INFINITY, -INFINITY}, sum[2] = {};
  int row0;  ///< this lane's first row
  Visible sees[2];

  __device__ __forceinline__ SixteenRows(const AttentionArguments& a, const Sequence& s, int kv_head,
                                         int first_row) {
    const int lane = threadIdx.x % 32, group = a.heads / a.cache.kv_heads, rows = s.fresh * group;
    row0 = first_row + lane / 4;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int row = min(row0 + 8 * i, rows - 1), last = s.cached + row / group;
      sees[i] = {a.window > 0 && last >= a.window ? last - a.window + 1 : 0, last};
      const bool valid = row0 + 8 * i < rows;
      const Bf16* from =
          a.q.data + (s.row + row / group) * a.q.stride + (kv_head * group + row % group) * D + lane % 4 * 2;
#pragma unroll
      for (int k = 0; k < D / 16; ++k) {
        q[k][i] = valid ? *reinterpret_cast<const unsigned*>(from + k * 16) : 0U;
        q[k][i + 2] = valid ? *reinterpret_cast<const unsigned*>(from + k * 16 + 8) : 0U;
      }
    }
  }

  __device__ __forceinline__ std::uint32_t place(std::uint32_t tile, int row, int piece) const {
    return tile + static_cast<std::uint32_t>((piece / 8 * Keys + row) * 128 + ((piece % 8) ^ (row & 7)) * 16);
  }

  /// Keys [first, first + Keys) and their values.   scale: of scores, times log2 e
  __device__ __forceinline__ void attend(const Bf16* keys, const Bf16* values, int first, float scale) {
    const std::uint32_t k_tile = shared_address(keys), v_tile = shared_address(values);
    const int lane = threadIdx.x % 32, in8 = lane % 8, m = lane / 8;
    float s[Keys / 8][4] = {};
#pragma unroll
    for (int k = 0; k < D / 16; ++k) {
#pragma unroll
      for (int n = 0; n < Keys / 16; ++n) {
        unsigned b[4];
        load_matrices<false>(b, place(k_tile, n * 16 + in8 + m / 2 * 8, 2 * k + m % 2));
        multiply_add(s[2 * n], q[k], b[0], b[1]);
        multiply_add(s[2 * n + 1], q[k], b[2], b[3]);
      }
    }
    const bool whole = first >= sees[1].first && first + Keys - 1 <= sees[0].last;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      float most = top[i];
#pragma unroll
      for (int n = 0; n < Keys / 8; ++n) {
#pragma unroll
        for (int c = 0; c < 2; ++c) {
          float& x = s[n][2 * i + c];
          const int key = first + n * 8 + lane % 4 * 2 + c;
          x = whole || (key >= sees[i].first && key <= sees[i].last) ? x * scale : -INFINITY;
          most = fmaxf(most, x);
        }
      }
      most = warp_max<4>(most);
      const float base = most == -INFINITY ? 0.0F : most, shrink = power_of_two(top[i] - base);
      float added = 0;
#pragma unroll
      for (int n = 0; n < Keys / 8; ++n) {
#pragma unroll
        for (int c = 0; c < 2; ++c) {
          s[n][2 * i + c] = power_of_two(s[n][2 * i + c] - base);
          added += s[n][2 * i + c];
        }
      }
      sum[i] = sum[i] * shrink + added;  // of this lane's columns; the quad's are added at the end
      top[i] = most;
#pragma unroll
      for (int j = 0; j < D / 8; ++j) {
        o[j][2 * i] *= shrink;
        o[j][2 * i + 1] *= shrink;
      }
    }
#pragma unroll
    for (int n = 0; n < Keys / 16; ++n) {
      const unsigned p[4] = {pack(s[2 * n][0], s[2 * n][1]), pack(s[2 * n][2], s[2 * n][3]),
                             pack(s[2 * n + 1][0], s[2 * n + 1][1]), pack(s[2 * n + 1][2], s[2 * n + 1][3])};
#pragma unroll
      for (int j = 0; j < D / 16; ++j) {
        unsigned b[4];
        load_matrices<true>(b, place(v_tile, n * 16 + in8 + m % 2 * 8, 2 * j + m / 2));
        multiply_add(o[2 * j], p, b[0], b[1]);
        multiply_add(o[2 * j + 1], p, b[2], b[3]);
      }
    }
  }

  /// After the last tile: sums over the quad that shares a row.
  __device__ __forceinline__ void finish() {
    sum[0] = warp_sum<4>(sum[0]);
    sum[1] = warp_sum<4>(sum[1]);
  }
};

}  // namespace inferometer::cuda
#endif
