#pragma once
#include <cstdint>

#include "executor/cuda/kernels/launch.hpp"

namespace inferometer::cuda {

/// Reads `bytes` (a multiple of 16) once and keeps nothing: what bandwidth can be had at all.
/// to: 4 bytes that are not written
void read_all(const void* from, std::int64_t bytes, void* to, const Queue& queue);

}  // namespace inferometer::cuda
