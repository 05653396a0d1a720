#pragma once
#include <filesystem>
#include <memory>
#include <optional>

#include "executor/cuda/gpu.hpp"
#include "model/backend.hpp"
#include "model/decode_splits.hpp"
#include "model/tuning.hpp"

namespace inferometer {

struct CudaOptions {
  int device = 0;
  std::filesystem::path weights;  ///< checkpoint file or folder; empty: seeded weights
  Tuning tuning = {};             ///< what choices of kernels for products read
  /// How decode attention of every step runs, instead of what is chosen for it: to measure choices.
  std::optional<DecodeChoice> decode = {};
};

/// Told which node's kernels are being enqueued, or recorded into a graph, on the calling thread; copy_node
/// stands for a copy beside the step.
class NodeObserver {
 public:
  virtual ~NodeObserver() = default;
  virtual void begin(std::int32_t node) = 0;
  virtual void end() = 0;
  /// Whether each node's kernels must run apart from all others: launched eagerly, without overlap.
  virtual bool apart() const { return false; }
};

/// Runs the graph on an NVIDIA GPU: matrix products by cuBLASLt or our own kernels, the rest by our own.
///
/// bf16, or products of fp8 by fp8 whose input scales are calibrated by the first step after prepare()
/// (input_scales.hpp); one device. prepare() makes room for the workload of its Case: steps may name
/// sequences and blocks beyond neither. Decode steps are replayed from recorded graphs where the Plan asks
/// for it, one graph per batch bucket and split of attention; a bucket is filled up with sequences of one
/// token. The copy beside a step, which is no part of its graph, runs on a stream of its own.
class CudaBackend final : public Backend {
 public:
  /// errors  no driver, no such device, a tuning that was made on another GPU or with another cuBLASLt
  [[nodiscard]] static Result<std::unique_ptr<CudaBackend>> open(const CudaOptions& options);
  ~CudaBackend() override;

  std::string name() const override;
  [[nodiscard]] Result<MemoryUse> prepare(const Case& c, const Structure& structure) override;
  /// One span over all nodes: what each takes is seen by the profiler, which decorates this.
  [[nodiscard]] Result<Timeline> run(const Graph& graph, const Step& step) override;
  const Output& output() const override;
  void keep_logits(bool keep) override;
  /// By events around the step's kernels, its inputs being on the device. The timer refers to this backend.
  std::unique_ptr<StepTimer> timer() override;

  const cuda::Gpu& gpu() const;
  /// Recorded graphs are forgotten, so that the observer sees them recorded. null: no one.
  void observe(NodeObserver* observer);

 private:
  struct Impl;
  explicit CudaBackend(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace inferometer
