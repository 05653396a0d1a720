#include "roofline/kernels/chip.hpp"

#include <span>
#include <vector>

namespace inferometer {
namespace {

/// The dtypes that stand in for `dtype` where matrix units do not have it: wider ones.
std::vector<DType> or_wider(DType dtype) {
  switch (dtype) {
    case DType::nvfp4:
      return {DType::nvfp4, DType::fp8, DType::bf16};
    case DType::fp8:
    case DType::int8:
      return {dtype, DType::bf16};
    case DType::f16:
      return {DType::f16, DType::bf16};
    default:
      return {dtype};
  }
}

double matrix_rate(const Device& device, DType dtype) {
  for (const DType d : or_wider(dtype)) {
    if (const auto it = device.matrix.find(d); it != device.matrix.end())
      return it->second.value.value * 1e-6;
  }
  return device.vector.value.value * 1e-6;
}

}  // namespace

Chip chip_of(const Device& device, DType multiplied) {
  return {.sms = static_cast<double>(device.processors.value),
          .clock = device.clock.value.value * 1e-6,
          .bandwidth = device.memory_bandwidth.value.value * 1e-6,
          .l2 = static_cast<double>(device.cache_capacity.value.value),
          .flops = matrix_rate(device, multiplied),
          .bf16_flops = matrix_rate(device, DType::bf16),
          .link = device.link_bandwidth ? device.link_bandwidth->value.value * 1e-6 : 0};
}

}  // namespace inferometer
