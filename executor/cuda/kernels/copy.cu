#include "executor/cuda/kernels/copy.hpp"

namespace inferometer::cuda {
namespace {

constexpr int threads = 512, ahead = 8;  // 64 KiB in flight a multiprocessor

__global__ void __launch_bounds__(threads)
    copy(const uint4* __restrict__ from, uint4* __restrict__ to, std::int64_t count, int left) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * threads;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
  std::int64_t i = first;
  for (; i + (ahead - 1) * step < count; i += ahead * step) {
    uint4 v[ahead];
#pragma unroll
    for (int j = 0; j < ahead; ++j) v[j] = __ldcs(from + i + j * step);
#pragma unroll
    for (int j = 0; j < ahead; ++j) __stcs(to + i + j * step, v[j]);
  }
#pragma unroll 1
  for (; i < count; i += step) __stcs(to + i, __ldcs(from + i));
  if (first < left)
    reinterpret_cast<char*>(to + count)[first] = reinterpret_cast<const char*>(from + count)[first];
}

}  // namespace

void copy_within_device(const void* from, void* to, std::int64_t bytes, const Queue& queue) {
  // A multiprocessor cuts its memory into cache and shared memory when it is empty: what starts beside this
  // kernel finds it as it was cut for this one.
  cudaFuncSetAttribute(copy, cudaFuncAttributePreferredSharedMemoryCarveout, cudaSharedmemCarveoutMaxShared);
  copy<<<queue.processors, threads, 0, queue.stream>>>(
      static_cast<const uint4*>(from), static_cast<uint4*>(to), bytes / 16, static_cast<int>(bytes % 16));
}

}  // namespace inferometer::cuda
