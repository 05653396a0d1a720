#pragma once
#include <cuda.h>

#include <optional>
#include <vector>

#include "executor/cuda/device_buffer.hpp"
#include "executor/cuda/gpu.hpp"
#include "executor/weights/weight_reader.hpp"

namespace inferometer::cuda {

/// A weight on the device, row-major in the spec's dtype.
struct Constant {
  char* data = nullptr;
  std::optional<CUtensorMap> map;  ///< of matrices whose rows hardware can copy
};

/// All weights of a structure, in one allocation.
struct Constants {
  DeviceBuffer memory;
  std::vector<Constant> all;  ///< of Structure::weights
};

/// Where each weight starts when they lie one after another, and where the last one ends.
std::vector<Bytes> weight_offsets(const Structure& structure);

/// Seeded weights are made on the device; a checkpoint's are read and copied.
/// seed: used when reader is null
[[nodiscard]] Result<Constants> load_constants(const Structure& structure, const WeightReader* reader,
                                               std::uint64_t seed, const Gpu& gpu);

}  // namespace inferometer::cuda
