#pragma once
#include "executor/cuda/kernels/attention_tiles.cuh"
#include "executor/cuda/kernels/mma.cuh"

// The heads of a group against eight keys at a time, by one warp, with keys and values in registers.
// source: Dao et al., "Flash-Decoding", 2023; fragment layouts: PTX ISA 9.0, mma.m16n8k16 and m16n8k8,
// movmatrix
#ifdef INFEROMETER_HOPPER
namespace inferometer::cuda {

/// The i-th piece of 8 elements of this lane's row: of each 64 it has pieces lane % 4 and lane % 4 + 4.
__device__ __forceinline__ int octet_element(int i) {
  return i / 2 * 64 + (static_cast<int>(threadIdx.x) % 4 + i % 2 * 4) * 8;
}

/// Eight keys and their values, of which lane l has pieces of key l / 4. They lie in one block of the cache.
template <int D>
struct KeyOctet {
  static constexpr int pieces = D / 32;
  uint4 k[pieces], v[pieces];
  std::int64_t head;  ///< where this head's part of the block starts, in elements of the cache

  /// Octet `octet` of the sequence whose block table it is.
  __device__ __forceinline__ void fetch(const KvCache& c, const std::int32_t* table, int kv_head, int octet) {
    const int key = octet * 8 + row(), slot = key % c.block_tokens;
    head =
        (static_cast<std::int64_t>(table[key / c.block_tokens]) * c.kv_heads + kv_head) * c.block_tokens * D;
#pragma unroll
    for (int i = 0; i < pieces; ++i) {
      k[i] = __ldcg(place(c.k, c, slot, i));
      v[i] = __ldcg(place(c.v, c, slot, i));
    }
  }
  /// The newest token's key and value take their place here and in the cache.   key: in shared memory, its
  /// value `stride` behind it
  __device__ __forceinline__ void append(const KvCache& c, int position, const Bf16* key, int stride) {
    if (row() == position % 8) {
#pragma unroll
      for (int i = 0; i < pieces; ++i) {
        k[i] = *reinterpret_cast<const uint4*>(key + octet_element(i));
        v[i] = *reinterpret_cast<const uint4*>(key + stride + octet_element(i));
        *place(c.k, c, position % c.block_tokens, i) = k[i];
        *place(c.v, c, position % c.block_tokens, i) = v[i];
      }
    }
    __syncwarp();
  }

 private:
  static __device__ __forceinline__ int row() { return static_cast<int>(threadIdx.x) % 32 / 4; }
  __device__ __forceinline__ uint4* place(void* cache, const KvCache& c, int slot, int i) const {
    return reinterpret_cast<uint4*>(static_cast<Bf16*>(cache) + head +
                                    cache_place<Bf16>(slot, octet_element(i), D, c.block_tokens));
  }
};

/// Queries, running maxima and sums, and outputs of up to eight heads: lane l has the scores of head l / 4
/// and keys 2 (l % 4) and the next, and outputs of heads 2 (l % 4) and the next.
template <int D>
struct EightHeads {
  static constexpr int pieces = D / 32;
  uint4 q[pieces];
  float o[2 * pieces][4] = {};  ///< of two columns two heads each
  float top = -INFINITY, sum = 0;

  /// rows: of the group's queries, `stride` apart, aligned to 16 bytes
  __device__ __forceinline__ EightHeads(const Bf16* rows, int stride, int group) {
    const int head = static_cast<int>(threadIdx.x) % 32 / 4;
#pragma unroll
    for (int i = 0; i < pieces; ++i) {
      q[i] = make_uint4(0, 0, 0, 0);
      if (head < group) q[i] = *reinterpret_cast<const uint4*>(rows + head * stride + octet_element(i));
    }
  }

  /// first: of the octet's keys   scale: of scores, times log2 e
  __device__ __forceinline__ void attend(const KeyOctet<D>& octet, int first, Visible sees, float scale) {
    const int c = static_cast<int>(threadIdx.x) % 4;
    float even[4] = {}, odd[4] = {};
    unsigned v[pieces][4];
#pragma unroll
    for (int i = 0; i < pieces; ++i) {
      multiply_add<false>(even, {q[i].x, 0, q[i].y, 0}, octet.k[i].x, octet.k[i].y);
      multiply_add<false>(odd, {q[i].z, 0, q[i].w, 0}, octet.k[i].z, octet.k[i].w);
      v[i][0] = transposed(octet.v[i].x);
      v[i][1] = transposed(octet.v[i].y);
      v[i][2] = transposed(octet.v[i].z);
      v[i][3] = transposed(octet.v[i].w);
    }
    float s[2];
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      const int key = first + 2 * c + e;
      s[e] = key >= sees.first && key <= sees.last ? (even[e] + odd[e]) * scale : -INFINITY;
    }
    const float most = fmaxf(top, warp_max<4>(fmaxf(s[0], s[1])));
    const float base = most == -INFINITY ? 0.0F : most, shrink = power_of_two(top - base);
    const float p0 = power_of_two(s[0] - base), p1 = power_of_two(s[1] - base);
    sum = sum * shrink + p0 + p1;  // of this lane's keys; the quad's are added at the end
    top = most;
    const unsigned p = pack(p0, p1);
    const float shrinks[2] = {__shfl_sync(~0U, shrink, 8 * c), __shfl_sync(~0U, shrink, 8 * c + 4)};
#pragma unroll
    for (int j = 0; j < 2 * pieces; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) o[j][e] *= shrinks[e % 2];
      weigh(o[j], v[j / 2][j % 2 * 2], v[j / 2][j % 2 * 2 + 1], p);
    }
  }

  /// After the last octet.   tops, sums: of this warp   values: its heads, `stride` apart
  __device__ __forceinline__ void write(int group, float* tops, float* sums, float* values,
                                        int stride) const {
    const int slot = static_cast<int>(threadIdx.x) % 32 / 4, c = static_cast<int>(threadIdx.x) % 4;
    const float all = warp_sum<4>(sum);
    if (slot < group && c == 0) {
      tops[slot] = top;
      sums[slot] = all;
    }
#pragma unroll
    for (int j = 0; j < 2 * pieces; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int head = 2 * c + e % 2, i = j / 2;
        // Word 2 (j % 2) + e / 2 of the piece that lane slot / 2 of each key's four had.
        const int column = i / 2 * 64 + (slot / 2 + i % 2 * 4) * 8 + (j % 2 * 2 + e / 2) * 2 + slot % 2;
        if (head < group) values[head * stride + column] = o[j][e];
      }
    }
  }

 private:
  /// d += vᵀ pᵀ   v [8 keys, 16 columns], p [8 heads, 8 keys]
  static __device__ __forceinline__ void weigh(float (&d)[4], unsigned v, unsigned next_v, unsigned p) {
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(v), "r"(next_v), "r"(p));
  }
};

}  // namespace inferometer::cuda
#endif
