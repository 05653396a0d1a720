#include "executor/cuda/kernels/ceilings.hpp"

namespace inferometer::cuda {
namespace {

__global__ void __launch_bounds__(512) read(const uint4* from, std::int64_t count, unsigned* to) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  unsigned sum = 0;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
       i += 4 * step) {
    uint4 v[4];
#pragma unroll
    for (int j = 0; j < 4; ++j) v[j] = i + j * step < count ? __ldcs(from + i + j * step) : uint4{};
#pragma unroll
    for (int j = 0; j < 4; ++j) sum += v[j].x ^ v[j].y ^ v[j].z ^ v[j].w;
  }
  if (sum == 0x12345678U) *to = sum;  // nobody knows that it never is
}

}  // namespace

void read_all(const void* from, std::int64_t bytes, void* to, const Queue& queue) {
  read<<<queue.processors * 4, 512, 0, queue.stream>>>(static_cast<const uint4*>(from), bytes / 16,
                                                       static_cast<unsigned*>(to));
}

}  // namespace inferometer::cuda
