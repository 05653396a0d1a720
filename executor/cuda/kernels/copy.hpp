#pragma once
#include <cstdint>

#include "executor/cuda/kernels/launch.hpp"

namespace inferometer::cuda {

/// Copies `bytes` within the device's memory, past the caches; both ends at multiples of 16 bytes.
///
/// One block of 512 threads a multiprocessor, without shared memory, until all is copied: a kernel that
/// streams weights through shared memory fits beside it, so that the two share the memory's bandwidth.
void copy_within_device(const void* from, void* to, std::int64_t bytes, const Queue& queue);

}  // namespace inferometer::cuda
