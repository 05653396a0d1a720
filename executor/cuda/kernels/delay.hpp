#pragma once
#include <cuda_runtime.h>

namespace inferometer::cuda {

/// Keeps a stream busy for so long, while the host enqueues what is to be timed behind it.
void delay(long long nanoseconds, cudaStream_t stream);

}  // namespace inferometer::cuda
