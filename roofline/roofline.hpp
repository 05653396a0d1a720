#pragma once
#include "model/device.hpp"
#include "roofline/calibration.hpp"
#include "roofline/estimate.hpp"
#include "roofline/work.hpp"

namespace inferometer {

/// What a node's surroundings decide about its traffic.
struct Surroundings {
  Bytes persistent{
      0};  ///< weights and state that one step touches: what must stay in cache to be found there again
};

/// Time of one node alone on a processor:  launch + max(flops / rate, bytes / bandwidth), with
///   rate       matrix peak * matrix_efficiency * m / (m + half_rows), of one row without half_rows: its
///              kernel streams weights; vector peak * vector_efficiency for work outside products, times
///              r / (r + attention_half_rows) for attention of r rows, new tokens of a sequence by heads of
///              a group, each sequence's work at its own rate; an exponential counts as 40 FLOPs there
///   bandwidth  memory's times memory_efficiency for weights and state, the cache's times cache_efficiency
///              for activations that fit into it; weights and state are found in the cache from the step
///              before, at its bandwidth times memory_efficiency, as far as they fit together or it retains
///              them (Device::cache_retention)
/// and, where a processor keeps bf16 weights as f32, the passes that convert a product's inputs and outputs.
/// GPUs have models for each kernel (roofline/kernels).
///
/// requires a matrix or vector rate on the device for the node's dtype
/// ignores  overlap of loads and arithmetic within a kernel below the maximum, clocks, bank and row conflicts
/// source   Williams, Waterman, Patterson, "Roofline", CACM 52(4), 2009
Estimate estimate(const AnyOperator& op, const Device& device, const Calibration& calibration,
                  const Surroundings& surroundings);

/// What starting one kernel takes: of products as calibrated, otherwise the device file's. A library's
/// product looks up and prepares its kernel; other nodes start as fast as an empty one does.
Seconds launch_time(const Work& work, const Device& device, const Calibration& calibration);

/// The rate that `dtype` products are multiplied at on this device: its matrix peak, or the vector peak for
/// dtypes that have none.
FlopsPerSecond matrix_peak(const Device& device, DType dtype);
/// That of the units which do a node's arithmetic: matrix units for products and attention.
FlopsPerSecond peak_of(const Work& work, const Device& device);

}  // namespace inferometer
