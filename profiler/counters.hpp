#pragma once
#include <memory>

#include "executor/cuda/cuda_backend.hpp"
#include "profiler/metrics.hpp"

namespace inferometer {

/// Reads hardware counters per node through CUPTI's range profiler: a range around each node's kernels, which
/// run one after another; the step runs once for each pass.
class NodeCounters final : public NodeObserver {
 public:
  /// errors  no permission to read counters (NVreg_RestrictProfilingToAdminUsers), a chip without these
  /// metrics
  [[nodiscard]] static Result<std::unique_ptr<NodeCounters>> open(int device, std::size_t nodes);
  ~NodeCounters() override;

  void begin(std::int32_t node) override;
  void end() override;
  bool apart() const override { return true; }

  /// Runs `step` as often as the counters need, and gives them by node.
  template <class Run>
  [[nodiscard]] Result<std::map<std::int32_t, std::map<std::string, double>>> count(Run step) {
    for (bool all = false; !all;) {
      if (const Done done = start_pass(); !done) return failure(done.error());
      const Done ran = step();
      const Result<bool> submitted = stop_pass();
      if (!ran) return failure(ran.error());
      if (!submitted) return failure(submitted.error());
      all = *submitted;
    }
    return decode();
  }

 private:
  struct Impl;
  explicit NodeCounters(std::unique_ptr<Impl> impl);
  Done start_pass();
  Result<bool> stop_pass();
  Result<std::map<std::int32_t, std::map<std::string, double>>> decode();
  std::unique_ptr<Impl> impl_;
};

}  // namespace inferometer
