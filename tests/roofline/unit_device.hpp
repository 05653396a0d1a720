#pragma once
#include "model/device.hpp"
#include "roofline/calibration.hpp"

namespace inferometer {

/// A processor on which one FLOP takes a second and one byte a second: times are counts.
inline Device unit_device() {
  Device d;
  d.name = "unit";
  d.kind = DeviceKind::cpu;
  d.memory_capacity = {Bytes{1 << 30}, "test"};
  d.memory_bandwidth = {BytesPerSecond{1}, "test"};
  d.cache_capacity = {Bytes{0}, "test"};
  d.cache_bandwidth = {BytesPerSecond{1}, "test"};
  d.processors = {1, "test"};
  d.vector = {FlopsPerSecond{1}, "test"};
  d.matrix[DType::f32] = {FlopsPerSecond{1}, "test"};
  d.matrix[DType::bf16] = {FlopsPerSecond{1}, "test"};
  return d;
}

/// Every efficiency 1, nothing else.
inline Calibration perfect() {
  Calibration c;
  c.level = Level::calibrated;
  for (const char* name : {"memory_efficiency", "cache_efficiency", "matrix_efficiency", "vector_efficiency"})
    c.parameters.push_back({name, 1.0, "1", ""});
  c.parameters.push_back({"half_rows", 0.0, "rows", ""});
  c.parameters.push_back({"attention_half_rows", 0.0, "rows", ""});
  c.parameters.push_back({"launch", 0.0, "us", ""});
  return c;
}

inline void set(Calibration& c, const std::string& name, double value) {
  for (Parameter& p : c.parameters) {
    if (p.name == name) p.value = value;
  }
}

}  // namespace inferometer
