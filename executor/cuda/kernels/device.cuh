#pragma once
#include <cuda_bf16.h>
#include <cuda_fp8.h>

#include <cstdint>

#include "executor/cuda/kernels/kernels.hpp"

// What kernels share. Instructions of compute capability 9.0 are behind INFEROMETER_HOPPER, so that each file
// compiles for 8.0 too.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
#define INFEROMETER_HOPPER 1
#endif

namespace inferometer::cuda {

/// 16 bytes: what one thread loads at a time.
struct alignas(16) Eight {
  Bf16 v[8];
};

__device__ __forceinline__ float to_float(Bf16 x) { return __uint_as_float(static_cast<unsigned>(x) << 16); }
/// As the lower of a pair, the other zero: single values the compiler may convert on the special function
/// unit, at an eighth of the rate.
__device__ __forceinline__ Bf16 to_bf16(float x) {
  const __nv_bfloat162 both = __floats2bfloat162_rn(x, 0);
  return __bfloat16_as_ushort(both.x);
}
__device__ __forceinline__ float to_float(Fp8 x) {
  return __half2float(__half{__nv_cvt_fp8_to_halfraw(x, __NV_E4M3)});
}
/// x in bf16, or rounded on to e4m3; what is too large becomes the largest.
template <class Element>
__device__ __forceinline__ Element as_cached(Bf16 x) {
  if constexpr (sizeof(Element) == sizeof(Bf16)) {
    return x;
  } else {
    return __nv_cvt_float_to_fp8(to_float(x), __NV_SATFINITE, __NV_E4M3);
  }
}
/// A rotated pair; the same bits in every kernel.
__device__ __forceinline__ void turn(Bf16& a, Bf16& b, float cosine, float sine) {
  const float x = to_float(a), y = to_float(b);
  a = to_bf16(__fmaf_rn(x, cosine, -__fmul_rn(y, sine)));
  b = to_bf16(__fmaf_rn(y, cosine, __fmul_rn(x, sine)));
}
__device__ __forceinline__ unsigned pack(float low, float high) {
  const __nv_bfloat162 both = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const unsigned*>(&both);
}

/// f(a, b), element by element.
template <class F>
__device__ __forceinline__ Eight each(const Eight& a, const Eight& b, F f) {
  alignas(16) unsigned y[4];
#pragma unroll
  for (int i = 0; i < 4; ++i)
    y[i] = pack(f(to_float(a.v[2 * i]), to_float(b.v[2 * i])),
                f(to_float(a.v[2 * i + 1]), to_float(b.v[2 * i + 1])));
  return *reinterpret_cast<const Eight*>(y);
}

/// sum and the products of eight bf16 each.
__device__ __forceinline__ float dot(const uint4& a, const uint4& b, float sum = 0) {
  const unsigned x[4] = {a.x, a.y, a.z, a.w}, y[4] = {b.x, b.y, b.z, b.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    sum = fmaf(__uint_as_float(x[i] << 16), __uint_as_float(y[i] << 16), sum);
    sum = fmaf(__uint_as_float(x[i] & 0xffff0000U), __uint_as_float(y[i] & 0xffff0000U), sum);
  }
  return sum;
}

/// SiLU(gate) * up, the same bits in every kernel.
__device__ __forceinline__ float gate_silu(float gate, float up) {
  return __fdividef(gate, 1.0F + __expf(-gate)) * up;
}

/// Before anything is read that an earlier kernel wrote, or written that it read; and permission for the next
/// kernel to be set up meanwhile.
__device__ __forceinline__ void wait_for_earlier() {
#ifdef INFEROMETER_HOPPER
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
__device__ __forceinline__ void allow_next() {
#ifdef INFEROMETER_HOPPER
  asm volatile("griddepcontrol.launch_dependents;");
#endif
}
/// Both, for kernels that have nothing to fetch ahead.
__device__ __forceinline__ void take_turn() {
  allow_next();
  wait_for_earlier();
}

/// Over Width neighbouring lanes, of which each Step-th has part in it.
template <int Width = 32, int Step = 1>
__device__ __forceinline__ float warp_sum(float x) {
#pragma unroll
  for (int d = Width / 2; d >= Step; d /= 2) x += __shfl_xor_sync(~0U, x, d);
  return x;
}
template <int Width = 32, int Step = 1>
__device__ __forceinline__ float warp_max(float x) {
#pragma unroll
  for (int d = Width / 2; d >= Step; d /= 2) x = fmaxf(x, __shfl_xor_sync(~0U, x, d));
  return x;
}

/// 2^x by the special function unit, to 2 ulp; denormal results are zero.
__device__ __forceinline__ float power_of_two(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// Dynamic shared memory [B] that a kernel may have without asking.
inline constexpr int unasked_shared = 48 * 1024;

/// Enqueues a kernel, with its start overlapping the end of the one before where the queue says so. Blocks
/// that are neighbours along x form clusters of `cluster`.
template <class... Parameters, class... Values>
void launch_clusters(const Queue& queue, unsigned cluster, void (*kernel)(Parameters...), dim3 grid,
                     unsigned threads, std::size_t shared, const Values&... values) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = dim3(threads);
  config.dynamicSmemBytes = shared;
  config.stream = queue.stream;
  cudaLaunchAttribute attributes[2]{};
  config.attrs = attributes;
  if (queue.overlap) {
    attributes[config.numAttrs].id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attributes[config.numAttrs++].val.programmaticStreamSerializationAllowed = 1;
  }
  if (cluster > 1) {
    attributes[config.numAttrs].id = cudaLaunchAttributeClusterDimension;
    attributes[config.numAttrs].val.clusterDim.x = cluster;
    attributes[config.numAttrs].val.clusterDim.y = 1;
    attributes[config.numAttrs++].val.clusterDim.z = 1;
  }
  if (shared > unasked_shared)
    cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared));
  cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(values)...);
}
template <class... Parameters, class... Values>
void launch(const Queue& queue, void (*kernel)(Parameters...), dim3 grid, unsigned threads,
            std::size_t shared, const Values&... values) {
  launch_clusters(queue, 1, kernel, grid, threads, shared, values...);
}

inline unsigned blocks_for(std::int64_t work, std::int64_t each) {
  return static_cast<unsigned>((work + each - 1) / each);
}
/// Place of element d of a token's row within one block of one head (KvCache says how they lie).
template <class Element>
__device__ __forceinline__ int cache_place(int slot, int d, int head_dim, int block_tokens) {
  if (head_dim % 64 != 0) return slot * head_dim + d;
  const int piece = sizeof(Element) == 2 ? (slot & 7) << 3 : (slot >> 1 & 3) << 4;
  return (d / 64 * block_tokens + slot) * 64 + ((d % 64) ^ piece);
}

}  // namespace inferometer::cuda
