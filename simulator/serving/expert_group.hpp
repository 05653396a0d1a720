#pragma once
#include <memory>
#include <vector>

#include "simulator/serving/instance.hpp"

namespace inferometer {

/// Replicas of attention that share the experts of their layers: instances with queues and caches of their
/// own, whose steps begin together. Experts compute the tokens of all of them, and each layer waits for the
/// slowest replica, so that the step takes what it does there. One without work runs along.
///
/// ignores  the token of a replica that runs along; what fills other replicas' recorded steps up
/// source   vLLM's data parallelism with expert parallelism (a dummy batch where a rank is idle), its load
///          balancing between ranks (least of 4 x waiting + running, DPLBAsyncMPClient); SGLang's attention
///          data parallelism
class ExpertGroup final : public Replica {
 public:
  ExpertGroup(const InstanceSettings& settings, std::int64_t ranks, const Traffic& traffic,
              std::vector<RequestRecord>& requests, PoolRun& run);

  bool can_serve(std::int32_t request) const override { return ranks_[0]->can_serve(request); }
  std::int64_t tokens_of(std::int32_t request) const override { return ranks_[0]->tokens_of(request); }
  bool enqueue(std::int32_t request, Nanoseconds now) override;
  bool stepping() const override { return begun_ >= Nanoseconds{0}; }
  Result<std::optional<Nanoseconds>> begin(Nanoseconds now, BatchTimer& timer) override;
  void finish(Nanoseconds end, BatchTimer& timer, std::vector<std::int32_t>& ended) override;
  std::vector<Instance*> instances() override;
  /// The one with least of 4 x waiting + running, those that come with their cache included.
  std::size_t next_instance() const override;
  ReplicaLoad load(std::int32_t request, bool prefixes) const override;

 private:
  static constexpr Nanoseconds never{-1};
  PoolRun& run_;
  std::int32_t number_;
  std::vector<std::unique_ptr<Instance>> ranks_;
  std::vector<Batch*> batches_;    ///< of the step that is being made; null where a rank has none
  std::vector<Nanoseconds> ends_;  ///< of its ranks by themselves
  Nanoseconds begun_ = never;
};

}  // namespace inferometer
