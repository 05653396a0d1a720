#pragma once
#include "executor/cuda/kernels/device.cuh"

// How the blocks of a grid that all run at a time, and some warps of a block, wait for each other (compute
// capability 9.0).
#ifdef INFEROMETER_HOPPER
namespace inferometer::cuda {

/// The Count threads of a block that name this barrier. 0 is __syncthreads'.
template <int Count>
__device__ __forceinline__ void meet(int barrier) {
  asm volatile("bar.sync %0, %1;" ::"r"(barrier), "n"(Count) : "memory");
}
/// One of those that does not wait for the others.
template <int Count>
__device__ __forceinline__ void come(int barrier) {
  asm volatile("bar.arrive %0, %1;" ::"r"(barrier), "n"(Count) : "memory");
}
/// What this thread wrote before is seen by who waits for the flag.
__device__ __forceinline__ void raise(std::uint32_t* flag) {
  asm volatile("st.release.gpu.global.u32 [%0], 1;" ::"l"(flag) : "memory");
}
__device__ __forceinline__ void wait_for(const std::uint32_t* flag) {
  std::uint32_t up = 0;
  while (up == 0) asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(up) : "l"(flag) : "memory");
}
/// All blocks of a grid that all run at a time: what their threads wrote before is seen by all behind it.
/// counters [2]: zero before the first call, left zero
__device__ __forceinline__ void meet_grid(std::uint32_t* counters) {
  __syncthreads();
  if (threadIdx.x == 0) {
    __threadfence();
    atomicAdd(counters, 1U);
    std::uint32_t arrived = 0;
    while (arrived < gridDim.x)
      asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(arrived) : "l"(counters) : "memory");
    if (atomicAdd(counters + 1, 1U) == gridDim.x - 1) counters[0] = counters[1] = 0;  // all have seen it
  }
  __syncthreads();
}

}  // namespace inferometer::cuda
#endif
