#pragma once
#include "executor/cuda/kernels/hopper.cuh"

// The first weights that a kernel of one token asks for, while the kernel before it ends.
#ifdef INFEROMETER_HOPPER
namespace inferometer::cuda {

/// Fills the ring of each warp of a block for the first time, one stage after the other: what the row is made
/// of has to be read too, by every block, and is served behind all weights that were asked for before. With
/// full rings that took 4 to 5 us of an H200's kernels, at whose end memory had nothing left to do.
/// One warp waits for the kernel before; the others load a stage whenever the one before it has come. All is
/// called by whole warps, and so is what they load with.
template <int Warps>
struct FirstFill {
  std::uint64_t* over;  ///< a barrier in shared memory: the kernel before has ended
  std::uint64_t* full;  ///< those of this warp's stages
  int stages;
  int filled = 0;

  /// Makes the barriers and loads the first stage; all threads of the block meet.
  /// load(): the next stage, false where nothing is left to load
  template <class Load>
  __device__ __forceinline__ void begin(Load load) {
    if (elect()) {
      init_barrier(full, 1);
      publish_barriers();
    }
    __syncwarp();
    filled += load();
    if (elect()) {
#pragma unroll 1
      for (int s = 1; s < stages; ++s) init_barrier(full + s, 1);
      if (threadIdx.x < 32) init_barrier(over, 1);
      publish_barriers();
    }
    __syncthreads();
  }
  /// As take_turn(), by all threads, loading meanwhile. The last warp, which waits, has one stage until then.
  template <class Load>
  __device__ __forceinline__ void wait(Load load) {
    allow_next();
    if (threadIdx.x / 32 == Warps - 1) {
      wait_for_earlier();
      if (threadIdx.x % 32 == 0) arrive(over);
    } else {
      while (!__any_sync(~0U, landed(over, 0)))
        if (filled > 0 && filled < stages && __any_sync(~0U, landed(full + filled - 1, 0))) filled += load();
    }
    __syncwarp();
    wait_for_earlier();  // at once: what the kernel before wrote is seen by the threads that call this
  }
  /// The stages that are still empty, when the row is on its way.
  template <class Load>
  __device__ __forceinline__ void end(Load load) {
#pragma unroll 1
    while (filled < stages && load()) ++filled;
  }
};

}  // namespace inferometer::cuda
#endif
