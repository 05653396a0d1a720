#pragma once
#include <utility>
#include <vector>

#include "executor/cuda/cuda_backend.hpp"
#include "profiler/activity.hpp"
#include "profiler/nvml_watch.hpp"

namespace inferometer {

/// A CUDA backend that is looked at: run() traces the step and says which node's kernels took how long. Times
/// from timer() stay untraced: tracing costs time, and keeps kernels from overlapping.
class CudaProfiler final : public Backend {
 public:
  [[nodiscard]] static Result<std::unique_ptr<CudaProfiler>> open(const CudaOptions& options);

  std::string name() const override { return backend_->name(); }
  [[nodiscard]] Result<MemoryUse> prepare(const Case& c, const Structure& structure) override;
  [[nodiscard]] Result<Timeline> run(const Graph& graph, const Step& step) override;
  const Output& output() const override { return backend_->output(); }
  void keep_logits(bool keep) override { backend_->keep_logits(keep); }
  std::unique_ptr<StepTimer> timer() override { return backend_->timer(); }
  std::unique_ptr<DeviceWatch> watch() override { return std::make_unique<NvmlWatch>(card_); }

  /// Whether run() reads hardware counters too: that takes some more runs of the step, and is done once for
  /// steps of one shape that follow each other: the first of their timelines has them.
  void count(bool counting) { counting_ = counting; }
  const cuda::Gpu& gpu() const { return backend_->gpu(); }
  /// Empty, or why there are no counters.
  const std::string& why_no_counters() const { return why_no_counters_; }

 private:
  CudaProfiler(std::unique_ptr<ActivityTracer> tracer, std::unique_ptr<CudaBackend> backend)
      : tracer_(std::move(tracer)), backend_(std::move(backend)), card_(NvmlDevice::open(gpu().bus)) {}
  std::unique_ptr<ActivityTracer> tracer_;
  std::unique_ptr<CudaBackend> backend_;
  Result<NvmlDevice> card_;  ///< or why its power and clocks are not seen
  Structure structure_;
  Plan plan_;
  bool counting_ = false;
  std::vector<std::pair<std::int64_t, std::int64_t>>
      counted_;  ///< new and cached tokens of the step that was
  std::string why_no_counters_;
  void add_counters(Timeline& timeline, const Step& step);
};

}  // namespace inferometer
