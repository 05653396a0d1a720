#pragma once
#include "executor/cuda/kernels/hopper.cuh"
#include "executor/cuda/kernels/wgmma_shapes.cuh"

// Products of tiles in shared memory by a warpgroup (compute capability 9.0a).
// source: PTX ISA 9.0, wgmma.mma_async and its matrix descriptors
#ifdef INFEROMETER_HOPPER
namespace inferometer::cuda {

/// Rows of 64 bf16 (128 bytes, as copy_box stores them with 128-byte swizzling), groups of 8 rows 1024 bytes
/// apart; the tile starts at a multiple of 1024. Elements 16 k onwards: add 2 k.
__device__ __forceinline__ std::uint64_t tile_descriptor(const void* tile) {
  return (shared_address(tile) & 0x3ffffU) >> 4 | 1ULL << 16 | 64ULL << 32 | 1ULL << 62;
}
__device__ __forceinline__ void products_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void products_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
/// Until at most Pending of the committed groups are unfinished.
template <int Pending>
__device__ __forceinline__ void products_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Pending) : "memory");
}
__device__ __forceinline__ void products_end() {
  products_commit();
  products_wait<0>();
}

/// What follows uses these values as they are here: the compiler may not move arithmetic on them across a
/// wait that it does not see the use of.
template <int N>
__device__ __forceinline__ void pin(float (&d)[N]) {
#pragma unroll
  for (int i = 0; i < N; ++i) asm volatile("" : "+f"(d[i])::"memory");
}

/// d (+)= a bᵀ for one step of 16 along k.   a [64, 16], b [N, 16], d [64, N]: thread t of the warpgroup
/// holds rows t / 32 * 16 + t % 32 / 4 (+ 8) and of each 8 columns 2 (t % 4) and 2 (t % 4) + 1
template <int N>
__device__ void multiply_tile(float (&d)[N / 2], std::uint64_t a, std::uint64_t b, int add);

INFEROMETER_TILE_INSTRUCTIONS(multiply_tile, "k16.f32.bf16.bf16", "1, 1, 0, 0")

/// d += a b for one step of 16 along k.   a [64, 16] in registers, as mma.m16n8k16 has it for each warp's 16
/// rows; b [16, N] lies as [N / 64][k][64], swizzled, the runs of 64 columns `run` bytes apart
template <int N>
__device__ void multiply_rows(float (&d)[N / 2], const unsigned (&a)[4], std::uint64_t b);
__device__ __forceinline__ std::uint64_t columns_descriptor(const void* tile, unsigned run) {
  return (shared_address(tile) & 0x3ffffU) >> 4 | static_cast<std::uint64_t>(run >> 4) << 16 | 64ULL << 32 |
         1ULL << 62;
}

template <>
__device__ __forceinline__ void multiply_rows<64>(float (&d)[32], const unsigned (&a)[4], std::uint64_t b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, "
      "%11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, "
      "%31}, "
      "{%32, %33, %34, %35}, %36, 1, 1, 1, 1;"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]),
        "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]),
        "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]),
        "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]),
        "+f"(d[30]), "+f"(d[31])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}

template <>
__device__ __forceinline__ void multiply_rows<128>(float (&d)[64], const unsigned (&a)[4], std::uint64_t b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, "
      "%11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, "
      "%31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, "
      "%51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, "
      "{%64, %65, %66, %67}, %68, 1, 1, 1, 1;"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]),
        "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]),
        "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]),
        "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]),
        "+f"(d[30]), "+f"(d[31]), "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]), "+f"(d[36]),
        "+f"(d[37]), "+f"(d[38]), "+f"(d[39]), "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43]),
        "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]), "+f"(d[48]), "+f"(d[49]), "+f"(d[50]),
        "+f"(d[51]), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]), "+f"(d[56]), "+f"(d[57]),
        "+f"(d[58]), "+f"(d[59]), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}

}  // namespace inferometer::cuda
#endif
