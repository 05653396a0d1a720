#pragma once
#include <deque>
#include <memory>
#include <vector>

#include "simulator/serving/instance.hpp"

namespace inferometer {

/// An instance whose layers are divided over stages. As many batches as there are stages are under way, each
/// begun as soon as there is room for it: a lane each, over one queue and one cache. Stages take batches in
/// the order in which they were begun; what a stage waits for the one before it, or for a batch at all, is a
/// bubble.
///
///   start(stage) = max(end(stage - 1) + hand-over, end of the batch before in this stage)
///
/// ignores  the way of chosen tokens back to the first stage; hand-overs that meet on a link
/// source   vLLM's engine core of version 1 (step_with_batch_queue: a queue of pipeline_parallel_size
///          batches that is filled before results are waited for) and its scheduler: a decoding sequence is
///          in one batch at a time, successive chunks of one prompt may be in several. TensorRT-LLM's
///          executor keeps as many micro batches. Unlike vLLM, a lane preempts among its own sequences only.
class Pipeline final : public Replica {
 public:
  Pipeline(const InstanceSettings& settings, std::int64_t stages, const Traffic& traffic,
           std::vector<RequestRecord>& requests, PoolRun& run);

  bool can_serve(std::int32_t request) const override { return lanes_[0]->can_serve(request); }
  std::int64_t tokens_of(std::int32_t request) const override { return lanes_[0]->tokens_of(request); }
  bool enqueue(std::int32_t request, Nanoseconds now) override { return lanes_[0]->enqueue(request, now); }
  bool stepping() const override { return idle_.empty(); }
  Result<std::optional<Nanoseconds>> begin(Nanoseconds now, BatchTimer& timer) override;
  void finish(Nanoseconds end, BatchTimer& timer, std::vector<std::int32_t>& ended) override;
  bool overlaps() const override { return true; }
  ReplicaLoad load(std::int32_t request, bool prefixes) const override {
    return lanes_[0]->load(request, prefixes);
  }

 private:
  struct UnderWay {
    Instance* lane = nullptr;
    Nanoseconds begun{0};
  };
  /// Sends a batch through the stages. returns when it leaves the last one
  Nanoseconds pass(Nanoseconds now, const StepTotals& totals);
  void tell_bubble(std::size_t stage, Nanoseconds until);

  PoolRun& run_;
  std::int32_t number_;
  std::vector<std::unique_ptr<Instance>> lanes_;
  std::deque<Instance*> idle_;
  std::deque<UnderWay> under_way_;
  std::vector<Nanoseconds> free_at_;  ///< of each stage
  std::vector<Nanoseconds> told_;     ///< of each stage, up to where its spans are
  StageTimes times_;
  Nanoseconds ended_{0};  ///< the last batch
};

}  // namespace inferometer
