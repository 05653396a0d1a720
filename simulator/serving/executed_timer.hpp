#pragma once
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/backend.hpp"
#include "simulator/serving/batch_timer.hpp"

namespace inferometer {

/// Steps take what running them takes: each one is made of the batch's sequences, with blocks and drawn
/// tokens of their own, and run. Blocks that the pool shares are written apart here, so that sharing saves
/// work but no memory traffic that a device's cache would save as well.
class ExecutedTimer final : public BatchTimer {
 public:
  struct Executed {
    StepTotals totals;
    Nanoseconds time{0};
  };
  /// blocks  that the backend has prepared
  /// requires  the timer to outlive it
  ExecutedTimer(StepTimer& timer, std::int64_t blocks, std::int64_t block_tokens, std::int64_t vocab,
                std::uint64_t seed);
  Result<Nanoseconds> time(const Batch& batch) override;
  void left(std::int32_t request) override;
  /// Every step, in order.
  const std::vector<Executed>& steps() const { return steps_; }

 private:
  StepTimer& timer_;
  std::int64_t block_tokens_, vocab_;
  std::uint64_t seed_;
  std::vector<std::int32_t> free_;
  std::unordered_map<std::int32_t, std::vector<std::int32_t>> tables_;
  std::set<std::pair<std::int64_t, std::int64_t>> warm_;  ///< new tokens and sequences of steps
  std::vector<BatchSlice> slices_;
  std::vector<Executed> steps_;
};

/// A Case whose workload makes a backend prepare for these limits: so many blocks, and steps of so many
/// sequences and new tokens.
Case prepared_for(const Case& c, std::int64_t kv_blocks);

}  // namespace inferometer
