#pragma once
#include <cstdint>
#include <vector>

#include "model/result.hpp"
#include "model/step.hpp"
#include "model/units.hpp"

namespace inferometer {

/// One sequence's part of a step.
struct BatchSlice {
  std::int32_t request = 0;
  std::int64_t fresh = 0, cached = 0;  ///< tokens
};

/// The step that an instance is about to run: its totals at once, its sequences for who asks.
class Batch {
 public:
  virtual ~Batch() = default;
  StepTotals totals;
  /// In the order in which they were admitted.
  virtual void slices(std::vector<BatchSlice>& out) const = 0;
};

/// What a step takes in the stages of a pipeline.
struct StageTimes {
  std::vector<Nanoseconds> stages;
  Nanoseconds hand_over{0};  ///< from each stage to the next one
};

/// How long a step takes: by prediction, or by running it.
class BatchTimer {
 public:
  virtual ~BatchTimer() = default;
  /// On devices that have nothing else to do.
  [[nodiscard]] virtual Result<Nanoseconds> time(const Batch& batch) = 0;
  /// Of a pipeline; one stage where a timer knows of none.
  [[nodiscard]] virtual Done stage_times(const Batch& batch, StageTimes& out) {
    const Result<Nanoseconds> whole = time(batch);
    if (!whole) return failure(whole.error());
    out = {.stages = {*whole}, .hand_over = {}};
    return std::monostate{};
  }
  /// The sequence of this request left the cache: it ended, or was preempted.
  virtual void left(std::int32_t /*request*/) {}
};

}  // namespace inferometer
