#pragma once
#include "model/device.hpp"

namespace inferometer {

/// A GPU of round numbers, on which a launch takes 1 us.
inline Device chosen_gpu(Seconds host_dispatch) {
  Device d;
  d.kind = DeviceKind::gpu;
  d.memory_bandwidth.value = d.cache_bandwidth.value = BytesPerSecond{1e12};
  d.cache_capacity.value = Bytes{1 << 20};
  d.vector.value = d.matrix[DType::bf16].value = FlopsPerSecond{1e14};
  d.processors.value = 10;
  d.clock.value = Hertz{1e9};
  d.launch.value = Seconds{1e-6};
  d.host_dispatch.value = host_dispatch;
  return d;
}

}  // namespace inferometer
