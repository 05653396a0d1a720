#pragma once
#include <type_traits>

#include "executor/cuda/kernels/device.cuh"
#include "executor/cuda/kernels/wgmma_fp8.cuh"

// Two rows of e4m3 by one column: weights go to the matrix units as they lie in memory, since expanding e4m3
// to f16 takes longer than fetching it. The matrix units multiply 64 rows by 8 columns. So each warp has two
// rows of W, and of each the pieces of 64 bytes of a block of 512 stand for eight rows, as the pieces of x do
// for eight columns: what belongs to one another is on the diagonal.
namespace inferometer::cuda {

/// Bytes of a row that are multiplied at a time.
inline constexpr int fp8_block = 512;
constexpr int whole_fp8_blocks(std::int64_t bytes) {
  return static_cast<int>((bytes + fp8_block - 1) / fp8_block * fp8_block);
}
/// Bytes of each of two rows that a copy brings, at most: as many as leave room for two stages.
constexpr int fp8_chunk(int row_bytes, int room) {
  int chunk = row_bytes < 8 * fp8_block ? row_bytes : 8 * fp8_block;
  while (chunk > fp8_block && room < 2 * 2 * chunk) chunk = chunk / 2 / fp8_block * fp8_block;
  return chunk;
}

#ifdef INFEROMETER_HOPPER
/// Puts elements 8 i onwards of x where Fp8Pair reads them: of each block the 16 words that four lanes hold
/// of a row's piece are transposed, four words of a lane with the four lanes.
__device__ __forceinline__ void place_fp8(unsigned char* x, int i, const uint2& eight) {
  const int at = 8 * i;
  unsigned char* to = x + at / 512 * 512 + at % 16 / 4 * 128 + at % 512 / 64 * 16 + at % 64 / 16 * 4;
  *reinterpret_cast<unsigned*>(to) = eight.x;
  *reinterpret_cast<unsigned*>(to + 128) = eight.y;
}

/// The products of a warp's two rows and x; add() is called by all warps of a warpgroup.
class Fp8Pair {
 public:
  /// w: this lane's 16 bytes of the first row's first block   next: from there to the second row's [16 bytes]
  /// x: of the block, by column_descriptor()   Most: blocks in registers at a time
  template <int Most>
  __device__ __forceinline__ void add(const uint4* w, int next, std::uint64_t x, int blocks) {
    static_assert(Most == 4 || Most == 8);
    const auto multiply = [&]<int Count>(std::integral_constant<int, Count>) {
#pragma unroll 1
      for (; blocks >= Count; blocks -= Count, w += Count * 32, x += Count * 32)
        multiply_blocks<Count>(w, next, x);
    };
    if constexpr (Most == 8) multiply(std::integral_constant<int, 8>{});
    multiply(std::integral_constant<int, 4>{});
    multiply(std::integral_constant<int, 1>{});
  }
  /// Of both rows, for all lanes. What is added next begins anew.
  __device__ __forceinline__ float2 take() {
    const float2 sums{diagonal(0), diagonal(2)};
#pragma unroll
    for (int i = 0; i < 4; ++i) even_[i] = odd_[i] = 0;
    return sums;
  }

 private:
  template <int Blocks>
  __device__ __forceinline__ void multiply_blocks(const uint4* w, int next, std::uint64_t x) {
    uint4 first[Blocks], second[Blocks];
#pragma unroll
    for (int b = 0; b < Blocks; ++b) {
      first[b] = w[b * 32];
      second[b] = w[b * 32 + next];
    }
    products_begin();
#pragma unroll
    for (int b = 0; b < Blocks; ++b) {
      multiply_fp8_rows(even_, {first[b].x, second[b].x, first[b].y, second[b].y}, x + b * 32);
      multiply_fp8_rows(odd_, {first[b].z, second[b].z, first[b].w, second[b].w}, x + b * 32 + 16);
    }
    products_end();
  }
  /// (lane / 4, lane / 4) is with lane % 4 = lane / 8.
  __device__ __forceinline__ float diagonal(int from) const {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const float first = even_[from] + odd_[from], second = even_[from + 1] + odd_[from + 1];
    return warp_sum(lane % 4 != lane / 8 ? 0 : lane / 4 % 2 == 0 ? first : second);
  }

  float even_[4] = {}, odd_[4] = {};  ///< parts of the 64 x 8 products
};

#endif

}  // namespace inferometer::cuda
