#pragma once
#include <filesystem>
#include <memory>

#include "model/backend.hpp"

namespace inferometer {

struct CpuOptions {
  int threads = 0;                ///< 0: all that this process may use
  std::filesystem::path weights;  ///< checkpoint file or folder; empty: seeded weights
};

/// Runs the graph on this machine's processor: matrix products by oneDNN, the rest by our own loops.
///
/// f32 and bf16 throughout, and W8A8 int8 products; one device; not MXFP4, int4, fp8 or f16. prepare() makes
/// room for the workload of its Case: steps may name sequences and blocks beyond neither.
class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(CpuOptions options);
  ~CpuBackend() override;

  std::string name() const override { return "cpu"; }
  [[nodiscard]] Result<MemoryUse> prepare(const Case& c, const Structure& structure) override;
  [[nodiscard]] Result<Timeline> run(const Graph& graph, const Step& step) override;
  const Output& output() const override;
  void keep_logits(bool keep) override;
  /// The timer refers to this backend.
  std::unique_ptr<StepTimer> timer() override;
  void begin_memory_reads() override;
  std::optional<MemoryReads> end_memory_reads() override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace inferometer
