#pragma once
#include <memory>

#include "executor/cuda/cuda_backend.hpp"
#include "profiler/trace_records.hpp"

namespace inferometer {

/// Records the kernels of a step through CUPTI's activity interface, and which node launched each: eager
/// launches by external correlation, kernels of recorded graphs by the ids of their graph nodes, which are
/// noted as the graph is recorded and followed to the executable graph.
/// One per process: CUPTI calls back without saying whom.
class ActivityTracer final : public NodeObserver {
 public:
  /// errors  another tool has subscribed to CUPTI, no CUPTI at run time
  [[nodiscard]] static Result<std::unique_ptr<ActivityTracer>> open();
  ~ActivityTracer() override;

  void begin(std::int32_t node) override;
  void end() override;

  /// Records from here to stop(), which waits for the device.
  [[nodiscard]] Done start();
  [[nodiscard]] Result<Trace> stop();

 private:
  struct Impl;
  explicit ActivityTracer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace inferometer
