#pragma once
#include "executor/cuda/kernels/attention_tiles.cuh"
#include "executor/cuda/kernels/fp8.cuh"
#include "executor/cuda/kernels/mma.cuh"

// Sixteen rows of queries against tiles of keys in shared memory, by one warp on matrix units (mma.sync).
// source: Dao, "FlashAttention-2", arXiv 2307.08691; fragment layouts: PTX ISA 9.0, mma.m16n8k16
#ifdef INFEROMETER_HOPPER
namespace inferometer::cuda {

__device__ __forceinline__ unsigned pack_halves(float low, float high) {
  const __half2 both = __floats2half2_rn(low, high);
  return *reinterpret_cast<const unsigned*>(&both);
}
/// Two bf16 values as f16: exact between 2^-14 and 65504.
__device__ __forceinline__ unsigned halves_of_bf16(unsigned two) {
  return pack_halves(__uint_as_float(two << 16), __uint_as_float(two & 0xffff0000U));
}

/// Queries, running maxima and sums, and outputs of 16 rows. Lane l holds of rows l / 4 and l / 4 + 8 a
/// quarter of the columns, which depends on what the cache holds:
///   bf16  of each 8 columns 2 (l % 4) and the next, as the instruction numbers them
///   fp8   of the queries 16 (l % 4) + [0, 16) of each 64, so that a lane's part of a key is one piece of 16
///         bytes; of the outputs 4 (l % 4) + [0, 4) of each 16, since a transposed load moves two e4m3 values
///         at a time
/// Tiles of keys and values lie as a block of Keys tokens does in the cache.
template <class Element, int D, int Keys>
struct SixteenRows {
  static constexpr bool fp8 = sizeof(Element) == 1;
  unsigned q[D / 16][4];
  float o[D / 8][4] = {};
  float top[2] = {-INFINITY, -INFINITY}, sum[2] = {};
  Visible sees[2];

  /// row_at(row): where that row of queries lies, aligned to 16 bytes
  template <class RowAt>
  __device__ __forceinline__ SixteenRows(const AttentionArguments& a, const Sequence& s, RowAt row_at) {
    const int lane = threadIdx.x % 32, group = a.heads / a.cache.kv_heads, rows = s.fresh * group,
              row0 = lane / 4;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int row = min(row0 + 8 * i, rows - 1), last = s.cached + row / group;
      sees[i] = {a.window > 0 && last >= a.window ? last - a.window + 1 : 0, last};
      const bool valid = row0 + 8 * i < rows;
      const Bf16* from = row_at(row);
      if constexpr (fp8) {
#pragma unroll
        for (int h = 0; h < D / 64; ++h) {
#pragma unroll
          for (int k = 0; k < 4; ++k) {
            uint2 four{};
            if (valid) four = *reinterpret_cast<const uint2*>(from + h * 64 + lane % 4 * 16 + k * 4);
            q[h * 4 + k][i] = halves_of_bf16(four.x);
            q[h * 4 + k][i + 2] = halves_of_bf16(four.y);
          }
        }
      } else {
#pragma unroll
        for (int k = 0; k < D / 16; ++k) {
          const unsigned* two = reinterpret_cast<const unsigned*>(from + k * 16 + lane % 4 * 2);
          q[k][i] = valid ? two[0] : 0U;
          q[k][i + 2] = valid ? two[4] : 0U;
        }
      }
    }
  }

  /// Of 16 bytes of a tile.
  static __device__ __forceinline__ std::uint32_t place(std::uint32_t tile, int row, int piece) {
    constexpr int each = 16 / sizeof(Element);
    return tile + static_cast<std::uint32_t>(cache_place<Element>(row, piece * each, D, Keys) *
                                             static_cast<int>(sizeof(Element)));
  }

  __device__ __forceinline__ void score(const Element* keys, float (&s)[Keys / 8][4]) const {
    const int lane = threadIdx.x % 32, in8 = lane % 8, m = lane / 8;
    if constexpr (fp8) {
#pragma unroll
      for (int h = 0; h < D / 64; ++h) {
#pragma unroll
        for (int n = 0; n < Keys / 8; ++n) {
          const uint4 key = *reinterpret_cast<const uint4*>(
              keys + cache_place<Element>(n * 8 + lane / 4, h * 64 + lane % 4 * 16, D, Keys));
          const unsigned fours[4] = {key.x, key.y, key.z, key.w};
#pragma unroll
          for (int k = 0; k < 4; ++k)
            multiply_add<true>(s[n], q[h * 4 + k], halves(fours[k]), halves(fours[k] >> 16));
        }
      }
    } else {
      const std::uint32_t tile = shared_address(keys);
#pragma unroll
      for (int k = 0; k < D / 16; ++k) {
#pragma unroll
        for (int n = 0; n < Keys / 16; ++n) {
          unsigned b[4];
          load_matrices<false>(b, place(tile, n * 16 + in8 + m / 2 * 8, 2 * k + m % 2));
          multiply_add<false>(s[2 * n], q[k], b[0], b[1]);
          multiply_add<false>(s[2 * n + 1], q[k], b[2], b[3]);
        }
      }
    }
  }

  /// Scores of keys [first, first + Keys) become weights relative to the rows' running maxima.
  __device__ __forceinline__ void soften(float (&s)[Keys / 8][4], int first, float scale) {
    const int lane = threadIdx.x % 32;
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
  }

  __device__ __forceinline__ void weigh(const Element* values, const float (&s)[Keys / 8][4]) {
    const std::uint32_t tile = shared_address(values);
    const int lane = threadIdx.x % 32, in8 = lane % 8, m = lane / 8;
#pragma unroll
    for (int n = 0; n < Keys / 16; ++n) {
      unsigned p[4];
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        const float low = s[2 * n + c / 2][c % 2 * 2], high = s[2 * n + c / 2][c % 2 * 2 + 1];
        p[c] = fp8 ? pack_halves(low, high) : pack(low, high);
      }
      if constexpr (fp8) {
#pragma unroll
        for (int j = 0; j < D / 32; ++j) {
          unsigned b[4];  // of two keys two neighbouring columns each
          load_matrices<true>(b, place(tile, n * 16 + in8 + m % 2 * 8, 2 * j + m / 2));
#pragma unroll
          for (unsigned& x : b) x = __byte_perm(x, 0, 0x3120);  // of two columns two keys each
#pragma unroll
          for (int half = 0; half < 2; ++half) {
            multiply_add<true>(o[4 * j + 2 * half], p, halves(b[2 * half]), halves(b[2 * half + 1]));
            multiply_add<true>(o[4 * j + 2 * half + 1], p, halves(b[2 * half] >> 16),
                               halves(b[2 * half + 1] >> 16));
          }
        }
      } else {
#pragma unroll
        for (int j = 0; j < D / 16; ++j) {
          unsigned b[4];
          load_matrices<true>(b, place(tile, n * 16 + in8 + m % 2 * 8, 2 * j + m / 2));
          multiply_add<false>(o[2 * j], p, b[0], b[1]);
          multiply_add<false>(o[2 * j + 1], p, b[2], b[3]);
        }
      }
    }
  }

  /// Keys [first, first + Keys) and their values.   scale: of scores, times log2 e
  __device__ __forceinline__ void attend(const Element* keys, const Element* values, int first, float scale) {
    float s[Keys / 8][4] = {};
    score(keys, s);
    soften(s, first, scale);
    weigh(values, s);
  }

  /// After the last tile.   tops, sums: of this warp   values: its rows, `stride` apart
  __device__ __forceinline__ void write(int rows, float* tops, float* sums, float* values, int stride) const {
    const int lane = threadIdx.x % 32, quarter = lane % 4;
    const float all[2] = {warp_sum<4>(sum[0]), warp_sum<4>(sum[1])};
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int row = lane / 4 + 8 * i;
      if (row >= rows) continue;
      if (quarter == 0) {
        tops[row] = top[i];
        sums[row] = all[i];
      }
      float* to = values + row * stride;
      if constexpr (fp8) {
#pragma unroll
        for (int j = 0; j < D / 16; ++j) {
          *reinterpret_cast<float4*>(to + j * 16 + quarter * 4) =
              make_float4(o[2 * j][2 * i], o[2 * j + 1][2 * i], o[2 * j][2 * i + 1], o[2 * j + 1][2 * i + 1]);
        }
      } else {
#pragma unroll
        for (int j = 0; j < D / 8; ++j)
          *reinterpret_cast<float2*>(to + j * 8 + quarter * 2) = make_float2(o[j][2 * i], o[j][2 * i + 1]);
      }
    }
  }
};

}  // namespace inferometer::cuda
#endif
