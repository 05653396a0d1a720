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

/// How long a step takes: by prediction, or by running it.
class BatchTimer {
 public:
  virtual ~BatchTimer() = default;
  [[nodiscard]] virtual Result<Nanoseconds> time(const Batch& batch) = 0;
  /// The sequence of this request left the cache: it ended, or was preempted.
  virtual void left(std::int32_t /*request*/) {}
};

}  // namespace inferometer
