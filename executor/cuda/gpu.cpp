#include "executor/cuda/gpu.hpp"

#include "executor/cuda/status.hpp"

namespace inferometer::cuda {

std::string cuda_version(int number) {
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

Result<Gpu> find_gpu(int index) {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) return failure("no CUDA device");
  if (index < 0 || index >= count) {
    return failure("cuda:" + std::to_string(index) + ": no such device; this machine has " +
                   std::to_string(count) + ", counted from 0");
  }
  cudaDeviceProp p{};
  if (const Done done = checked(cudaGetDeviceProperties(&p, index), "cudaGetDeviceProperties"); !done)
    return failure(done.error());
  if (const Done done = checked(cudaSetDevice(index), "cudaSetDevice"); !done) return failure(done.error());
  char bus[32] = "";
  if (const Done done = checked(cudaDeviceGetPCIBusId(bus, sizeof bus, index), "cudaDeviceGetPCIBusId");
      !done)
    return failure(done.error());
  std::size_t available = 0, total = 0;
  if (const Done done = checked(cudaMemGetInfo(&available, &total), "cudaMemGetInfo"); !done)
    return failure(done.error());
  Gpu gpu{.index = index,
          .name = p.name,
          .bus = bus,
          .major = p.major,
          .minor = p.minor,
          .processors = p.multiProcessorCount,
          .memory = Bytes{static_cast<std::int64_t>(total)},
          .available = Bytes{static_cast<std::int64_t>(available)}};
  cudaDriverGetVersion(&gpu.driver);
  cudaRuntimeGetVersion(&gpu.runtime);
  return gpu;
}

}  // namespace inferometer::cuda
