#pragma once
#include <memory>
#include <string>
#include <vector>

#include "model/case.hpp"
#include "model/graph.hpp"
#include "model/memory.hpp"
#include "model/run_conditions.hpp"
#include "model/timeline.hpp"

namespace inferometer {

/// How long a step takes, by prediction or by doing it: the serving loop is the same over both.
class StepTimer {
 public:
  virtual ~StepTimer() = default;
  /// To the end of the step itself; a copy beside it may end later. A step without slices is its copy alone
  /// and takes no time itself.
  [[nodiscard]] virtual Result<Nanoseconds> time(const Step& step) = 0;
  /// What the copy beside the last step took, from the step's start to its own end; zero without one.
  virtual Nanoseconds copied() const { return Nanoseconds{0}; }
};

/// Looks at the device while something runs on it, as often as begin() and end() say.
class DeviceWatch {
 public:
  virtual ~DeviceWatch() = default;
  virtual void begin() = 0;
  virtual void end() = 0;
  /// Of all that lay between a begin() and its end().
  virtual RunConditions conditions() const = 0;
};

/// How fast memory was read between steps: what long streams are read at over all of them.
struct MemoryReads {
  BytesPerSecond rate;
  std::int64_t looks = 0;
  /// A few looks say little of a machine that changes.
  bool enough() const { return looks >= 10; }
};

/// What a pass computed.
struct Output {
  std::vector<std::int32_t> tokens;  ///< greedy choice for each logit row, slices in order
  std::vector<float> logits;         ///< [logit rows, vocab], only when asked for
};

/// Something that runs the graph for real.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string name() const = 0;
  /// Allocates weights, cache and activations for a Case; refuses before allocating what does not fit.
  [[nodiscard]] virtual Result<MemoryUse> prepare(const Case& c, const Structure& structure) = 0;
  /// Runs one step and says what took how long: one span per node, gaps between them.
  [[nodiscard]] virtual Result<Timeline> run(const Graph& graph, const Step& step) = 0;
  /// Of the last run.
  virtual const Output& output() const = 0;
  virtual void keep_logits(bool keep) = 0;
  /// Times steps without looking inside them: what step times are reported from.
  virtual std::unique_ptr<StepTimer> timer() = 0;
  /// Looks at how fast memory is read between the steps that follow, until end_memory_reads(): on a machine
  /// shared with others it changes within minutes. Nothing where the backend does not look, or no step was
  /// long enough.
  virtual void begin_memory_reads() {}
  virtual std::optional<MemoryReads> end_memory_reads() { return std::nullopt; }
  /// null: nothing is known of this backend's device. The watch refers to this backend.
  virtual std::unique_ptr<DeviceWatch> watch() { return nullptr; }
};

}  // namespace inferometer
