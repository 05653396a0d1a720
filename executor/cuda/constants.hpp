#pragma once
#include <cuda.h>

#include <optional>
#include <vector>

#include "executor/cuda/device_buffer.hpp"
#include "executor/cuda/gpu.hpp"
#include "executor/cuda/kernels/int4.hpp"
#include "executor/weights/weight_reader.hpp"

namespace inferometer::cuda {

/// A weight on the device, row-major in the spec's dtype; int4 in units with their scales and zero
/// points.
struct Constant {
  char* data = nullptr;
  char* scales = nullptr;          ///< fp8: f32 [matrices]
  std::optional<CUtensorMap> map;  ///< of matrices of experts whose rows hardware can copy
};

/// requires an int4 weight
inline Int4Unit* int4_weight(const Constant& c) { return reinterpret_cast<Int4Unit*>(c.data); }

/// All weights of a structure, in one allocation.
struct Constants {
  DeviceBuffer memory;
  std::vector<Constant> all;  ///< of Structure::weights
};

/// Where the parts of a weight lie in the allocation of all weights.
struct Place {
  Bytes data{0}, scales{0};
};
/// One after another, each part at a multiple of 256 bytes.
struct Places {
  std::vector<Place> all;  ///< of Structure::weights
  Bytes total{0};
};
Places places_of(const Structure& structure);

/// Seeded weights are made on the device; a checkpoint's are read and copied. Formats with scales are made of
/// bf16 values on the device, a matrix at a time.
/// seed: used when reader is null
[[nodiscard]] Result<Constants> load_constants(const Structure& structure, const WeightReader* reader,
                                               std::uint64_t seed, const Gpu& gpu);

}  // namespace inferometer::cuda
