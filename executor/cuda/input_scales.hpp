#pragma once
#include "executor/cuda/device_buffer.hpp"
#include "model/structure.hpp"

namespace inferometer::cuda {

/// The static scales of fp8 inputs, one f32 on the device for each buffer that a Quantize node writes. They
/// are calibrated by the first step after prepare(): it runs once with each node in a kernel of its own,
/// where scale = max|x| / 448 of the values that the node quantises (448: the largest e4m3; a margin of 1).
/// From then on they are fixed, and values beyond them saturate.
class InputScales {
 public:
  InputScales() = default;
  [[nodiscard]] static Result<InputScales> of(const Structure& structure);

  /// Of the values in `buffer`, an index into Structure::buffers.
  float* scale(std::int32_t buffer) const {
    return reinterpret_cast<float*>(memory_.data() + buffer * apart);
  }
  /// Whether a step has to be run that finds them.
  bool wanted() const { return wanted_; }
  void found() { wanted_ = false; }
  static constexpr std::int64_t apart = 16;  ///< bytes: cuBLASLt takes scales at multiples of 16 only

 private:
  DeviceBuffer memory_;
  bool wanted_ = false;
};

}  // namespace inferometer::cuda
