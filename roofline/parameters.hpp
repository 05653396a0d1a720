#pragma once
#include <array>
#include <string_view>

#include "roofline/calibration.hpp"

namespace inferometer {

/// A parameter of the kernel models: its unit, what it means, the range physics allows, and what is assumed
/// without any measurement (level datasheet).
struct ParameterInfo {
  std::string_view name, unit, doc;
  double low, high;
  double generic;
  std::string_view source;  ///< of the generic value
};

inline constexpr std::array parameter_infos{
    ParameterInfo{"memory_efficiency", "1",
                  "long streams reach this fraction of the bandwidth of the memory, or of the cache, that "
                  "they come from",
                  0.2, 1.5, 0.88, "4.2 of 4.8 TB/s read on an H200, driver 580"},
    ParameterInfo{"cache_efficiency", "1",
                  "what kernels hand to each other through the cache moves at this fraction of its bandwidth",
                  0.02, 2, 0.7, "typical of streaming kernels; no data sheet states it"},
    ParameterInfo{"matrix_efficiency", "1", "large products reach this fraction of the matrix peak", 0.05,
                  1.5, 0.78, "774 of 989 TFLOP/s, the median of bf16 products of at least 4096 on an H200"},
    ParameterInfo{"half_rows", "rows", "rows of a product at which half of its rate is reached, beyond one",
                  0, 256, 0, "matrix units are fed by tiles, whose filling is counted apart"},
    ParameterInfo{
        "attention_half_rows", "rows",
        "rows, new tokens of a sequence by heads of a group, at which attention reaches half of its "
        "rate, beyond none",
        0, 128, 0, "assumed: no data sheet states it"},
    ParameterInfo{"vector_efficiency", "1",
                  "attention, gates and other work outside products reaches this fraction of the vector peak",
                  0.005, 1.5, 0.5, "assumed"},
    ParameterInfo{"copy_efficiency", "1",
                  "copies within a device's memory reach this fraction of its bandwidth, read and written",
                  0.2, 1.5, 0.89, "4.27 of 4.8 TB/s on an H200, driver 580"},
    ParameterInfo{"host_link_efficiency", "1",
                  "copies from and to pinned host memory reach this fraction of the host link's bandwidth",
                  0.05, 1.1, 0.87, "assumed: 55 of 63 GB/s; packet headers of PCIe take the rest"},
    ParameterInfo{"launch", "us", "from a product's call to its first multiplication", 0, 100, -1,
                  "the device file's launch"},
};

/// The value of a parameter for one dtype ("matrix_efficiency.bf16") where it is known, the plain one
/// otherwise, the generic one where neither is.
double parameter(const Calibration& calibration, std::string_view name, std::string_view dtype = {});

const ParameterInfo& parameter_info(std::string_view name);

}  // namespace inferometer
