#include "simulator/serving/expert_group.hpp"

#include <algorithm>

namespace inferometer {

ExpertGroup::ExpertGroup(const InstanceSettings& settings, std::int64_t ranks, const Traffic& traffic,
                         std::vector<RequestRecord>& requests, PoolRun& run)
    : run_(run), number_(settings.number) {
  for (std::int64_t i = 0; i < ranks; ++i) {
    InstanceSettings own = settings;
    own.part = static_cast<std::int32_t>(i);
    ranks_.push_back(std::make_unique<Instance>(own, traffic, requests, run));
  }
  batches_.resize(ranks_.size());
  ends_.resize(ranks_.size());
}

bool ExpertGroup::enqueue(std::int32_t request, Nanoseconds now) {
  return ranks_[next_instance()]->enqueue(request, now);
}

std::vector<Instance*> ExpertGroup::instances() {
  std::vector<Instance*> all;
  for (const auto& rank : ranks_) all.push_back(rank.get());
  return all;
}

std::size_t ExpertGroup::next_instance() const {
  const auto score = [](const std::unique_ptr<Instance>& rank) {
    return 4 * rank->waiting() + rank->running() + rank->reserved();
  };
  const auto least = std::min_element(ranks_.begin(), ranks_.end(),
                                      [&](const auto& a, const auto& b) { return score(a) < score(b); });
  return static_cast<std::size_t>(least - ranks_.begin());
}

Result<std::optional<Nanoseconds>> ExpertGroup::begin(Nanoseconds now, BatchTimer& timer) {
  std::int64_t tokens = 0;
  for (std::size_t r = 0; r < ranks_.size(); ++r) {
    batches_[r] = ranks_[r]->choose_batch(now, timer);
    if (batches_[r] != nullptr) tokens += batches_[r]->totals.tokens();
  }
  if (tokens == 0) {
    require(std::all_of(ranks_.begin(), ranks_.end(), [](const auto& rank) { return rank->may_idle(); }),
            "replicas of attention idle with work to do");
    return std::optional<Nanoseconds>{};
  }
  Nanoseconds end{0};
  for (std::size_t r = 0; r < ranks_.size(); ++r) {
    ends_[r] = now;
    if (batches_[r] == nullptr) continue;
    batches_[r]->totals.group_tokens = tokens;
    const Result<Nanoseconds> time = timer.time(*batches_[r]);
    if (!time) return failure(time.error());
    ends_[r] = ranks_[r]->start(now, *time);
    end = std::max(end, ends_[r]);
    run_.parts_busy += *time;
    run_.spans.add({.instance = number_,
                    .part = static_cast<std::int32_t>(r),
                    .start = ends_[r] - *time,
                    .end = ends_[r],
                    .totals = batches_[r]->totals});
  }
  for (std::size_t r = 0; r < ranks_.size(); ++r) {
    if (ends_[r] < end)
      run_.spans.add({.kind = ServedSpan::Kind::bubble,
                      .instance = number_,
                      .part = static_cast<std::int32_t>(r),
                      .start = ends_[r],
                      .end = end});
  }
  begun_ = now;
  return std::optional{end};
}

void ExpertGroup::finish(Nanoseconds end, BatchTimer& timer, std::vector<std::int32_t>& ended) {
  for (const auto& rank : ranks_) {
    if (rank->stepping()) rank->finish(end, timer, ended);
  }
  run_.parts_time += static_cast<std::int64_t>(ranks_.size()) * (end - std::exchange(begun_, never));
}

ReplicaLoad ExpertGroup::load(std::int32_t request, bool prefixes) const {
  ReplicaLoad sum{.requests = 0};
  for (const auto& rank : ranks_) {
    const ReplicaLoad one = rank->load(request, false);
    sum.requests += one.requests;
    sum.outstanding_tokens += one.outstanding_tokens;
  }
  // Where the request would go: ranks are not chosen by what they have cached.
  sum.cached_prefix = ranks_[next_instance()]->load(request, prefixes).cached_prefix;
  return sum;
}

}  // namespace inferometer
