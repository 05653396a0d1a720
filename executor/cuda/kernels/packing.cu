#include <cuda_fp8.h>

#include "executor/cuda/kernels/device.cuh"
#include "executor/cuda/kernels/packing.hpp"

namespace inferometer::cuda {
namespace {

constexpr unsigned threads = 256, most_blocks = 2048;
constexpr float largest_fp8 = 448.0F;

/// Positive floats are ordered as their bits are.
__global__ void __launch_bounds__(threads) find_scale(Fp8WeightArguments a) {
  float largest = 0;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x; i < a.count;
       i += static_cast<std::int64_t>(gridDim.x) * threads)
    largest = fmaxf(largest, fabsf(to_float(a.values[i])));
  largest = warp_max(largest);
  if (threadIdx.x % 32 == 0)
    atomicMax(reinterpret_cast<unsigned*>(a.scale), __float_as_uint(largest / largest_fp8));
}
__global__ void __launch_bounds__(threads) quantize(Fp8WeightArguments a) {
  const float factor = *a.scale > 0 ? 1 / *a.scale : 0;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x; i < a.count;
       i += static_cast<std::int64_t>(gridDim.x) * threads)
    a.q[i] = __nv_cvt_float_to_fp8(to_float(a.values[i]) * factor, __NV_SATFINITE, __NV_E4M3);
}

}  // namespace

void quantize_fp8_weight(const Fp8WeightArguments& a, const Queue& queue) {
  const unsigned enough = blocks_for(a.count, threads), blocks = enough < most_blocks ? enough : most_blocks;
  cudaMemsetAsync(a.scale, 0, sizeof(float), queue.stream);
  find_scale<<<blocks, threads, 0, queue.stream>>>(a);
  quantize<<<blocks, threads, 0, queue.stream>>>(a);
}

}  // namespace inferometer::cuda
