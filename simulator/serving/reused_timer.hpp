#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "model/names.hpp"
#include "simulator/serving/executed_timer.hpp"

namespace inferometer {

/// Where the durations of the steps of an executed serving run are from.
enum class StepDurations : std::uint8_t {
  executed,  ///< each from its own execution
  reused     ///< from that of a step which is alike
};
template <>
struct Names<StepDurations> {
  static constexpr std::array list{std::pair{StepDurations::executed, std::string_view{"executed"}},
                                   std::pair{StepDurations::reused, std::string_view{"reused"}}};
};

/// Executes one of each kind of step and lets the others take as long. Steps are alike that have the same
/// numbers of prompts, new tokens and rows of logits, and whose attended tokens (of decodes and of prompts,
/// each in sum) lie in the same bucket, a sixteenth to a thirty-second of their number wide. A kind takes the
/// median of three executions of its first step, behind one that warms caches.
///
/// ignores  what else of a step changes its time: how its tokens are spread over its sequences, what ran
///          before it
/// source   of the idea: Vidur (arXiv 2405.05465), which profiles operators where this does whole steps
class ReusedTimer final : public BatchTimer {
 public:
  /// requires  the timer that executes to outlive it
  explicit ReusedTimer(BatchTimer& executes) : executes_(executes) {}
  Result<Nanoseconds> time(const Batch& batch) override;
  void left(std::int32_t request) override { executes_.left(request); }
  /// The steps that were executed, each once, with their medians.
  const std::vector<ExecutedTimer::Executed>& steps() const { return steps_; }

 private:
  using Kind = std::array<std::int64_t, 5>;
  static Kind kind_of(const StepTotals& totals);

  BatchTimer& executes_;
  std::map<Kind, Nanoseconds> known_;
  std::vector<ExecutedTimer::Executed> steps_;
};

}  // namespace inferometer
