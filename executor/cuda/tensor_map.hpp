#pragma once
#include <cuda.h>

#include <cstdint>

#include "model/result.hpp"

namespace inferometer::cuda {

/// A matrix of bf16 or of bytes whose boxes are copied to shared memory by hardware, with 128-byte swizzling.
/// data 16-byte aligned; stride [elements] a multiple of 16 bytes; a box is 128 bytes wide, or has `runs` of
/// them, one behind another, for copy_runs(): columns are then whole runs
struct MapOf {
  const void* data = nullptr;
  std::int64_t rows = 0, columns = 0, stride = 0;
  std::int32_t box_rows = 0, element_bytes = 2, runs = 0;
};
/// errors  a driver without tensor maps, operands that break the rules above
[[nodiscard]] Result<CUtensorMap> tensor_map(const MapOf& m);

}  // namespace inferometer::cuda
