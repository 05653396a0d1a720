#pragma once
#include "executor/cuda/kernels/wgmma.cuh"

// Products of e4m3 tiles in shared memory by a warpgroup (compute capability 9.0a).
// source: PTX ISA 9.0, wgmma.mma_async
#ifdef INFEROMETER_HOPPER
namespace inferometer::cuda {

/// Eight rows of 32 e4m3, in halves of 16: eight times 16 bytes of the first, then of the second. The next 32
/// columns: add 16.
__device__ __forceinline__ std::uint64_t column_descriptor(const void* rows) {
  return (shared_address(rows) & 0x3ffffU) >> 4 | 8ULL << 16 | 8ULL << 32;
}
/// d += a bᵀ for one step of 32 along k.   a [64, 32] e4m3 in registers: thread t of the warpgroup holds of
/// row t / 32 * 16 + t % 32 / 4 the four from 4 (t % 4) in the first and from 16 + 4 (t % 4) in the third,
/// of the row eight below in the second and fourth; b [8, 32], d [64, 8] as multiply_tile has it
__device__ __forceinline__ void multiply_fp8_rows(float (&d)[4], const uint4& a, std::uint64_t b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n8k32.f32.e4m3.e4m3 {%0, %1, %2, %3}, {%4, %5, %6, %7}, %8, 1, 1, 1;"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "l"(b));
}

/// d (+)= a bᵀ for one step of 32 along k.   a [64, 32], b [N, 32] e4m3, d [64, N] as multiply_tile has it.
/// A step is 32 bytes of a row, as of bf16: tile_descriptor serves for rows of 128 e4m3, elements 32 k
/// onwards add 2 k.
template <int N>
__device__ void multiply_fp8_tile(float (&d)[N / 2], std::uint64_t a, std::uint64_t b, int add);

INFEROMETER_TILE_INSTRUCTIONS(multiply_fp8_tile, "k32.f32.e4m3.e4m3", "1, 1")

}  // namespace inferometer::cuda
#endif
