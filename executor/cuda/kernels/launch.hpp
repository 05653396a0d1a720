#pragma once
#include <cuda_runtime.h>

namespace inferometer::cuda {

/// Where and how kernels are enqueued.
struct Queue {
  cudaStream_t stream = nullptr;
  int processors = 0;    ///< streaming multiprocessors of the device
  bool hopper = false;   ///< compute capability 9.0: bulk copies, wgmma, programmatic dependent launch
  bool overlap = false;  ///< start while the kernel before drains (programmatic dependent launch)
};

}  // namespace inferometer::cuda
