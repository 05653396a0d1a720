#include "simulator/serving/instance.hpp"

#include <algorithm>

namespace inferometer {

Instance::Instance(const InstanceSettings& settings, const Traffic& traffic,
                   std::vector<RequestRecord>& requests, PoolRun& run)
    : Instance(settings, traffic, requests, run,
               std::make_shared<Shared>(Shared{
                   .pool = KvPool(settings.kv_blocks,
                                  std::max<std::int64_t>(1, traffic.block_tokens / settings.block_tokens),
                                  settings.serving.prefix_caching)})) {
  require(!settings.serving.prefix_caching || traffic.block_tokens % settings.block_tokens == 0,
          "identities are of part of a block");
}

Instance::Instance(const InstanceSettings& settings, const Traffic& traffic,
                   std::vector<RequestRecord>& requests, PoolRun& run, std::shared_ptr<Shared> shared)
    : settings_(settings),
      traffic_(traffic),
      records_(requests),
      run_(run),
      policy_(policy_of(settings.serving.policy)),
      shared_(std::move(shared)),
      lane_(static_cast<std::int32_t>(shared_->lanes.size())),
      pool_(shared_->pool),
      watermark_(settings.kv_blocks * settings.serving.watermark_percent / 100),
      sequences_(shared_->sequences),
      unused_(shared_->unused),
      waiting_(shared_->waiting),
      needs_(static_cast<std::size_t>(settings.block_tokens), 0),
      outstanding_(shared_->outstanding) {
  shared_->lanes.push_back(this);
}

ReplicaLoad Instance::load(std::int32_t request, bool prefixes) const {
  return {.requests = running() + waiting() + reserved_,
          .outstanding_tokens = outstanding_,
          .cached_prefix = prefixes ? cached_prefix(request) : 0};
}

std::int64_t Instance::tokens_of(std::int32_t request) const {
  const Request& r = traffic_.requests[static_cast<std::size_t>(request)];
  switch (settings_.role) {
    case PoolRole::prefill:
      return r.prompt_tokens + 1;
    case PoolRole::decode:  // the first token was made elsewhere
      return r.output_tokens - 1;
    case PoolRole::both:
      break;
  }
  return r.prompt_tokens + r.output_tokens;
}

Result<std::optional<Nanoseconds>> Instance::begin(Nanoseconds now, BatchTimer& timer) {
  const Batch* batch = choose_batch(now, timer);
  if (batch == nullptr) {
    require(may_idle(), "an instance idles with work to do");
    return std::optional<Nanoseconds>{};
  }
  const Result<Nanoseconds> time = timer.time(*batch);
  if (!time) return failure(time.error());
  const Nanoseconds end = start(now, *time);
  if (!run_.spans.full())
    run_.spans.add({.instance = settings_.number, .start = end - *time, .end = end, .totals = totals});
  return std::optional{end};
}

Nanoseconds Instance::start(Nanoseconds now, Nanoseconds takes) {
  step_ = now;
  return behind_swaps(now) + takes;
}

bool Instance::may_idle() const {
  return (first_ < 0 && waiting_.empty()) || !held_.empty() || reserved_ > 0;
}

Batch* Instance::choose_batch(Nanoseconds now, BatchTimer& timer) {
  require(!step_, "a step was begun while another is under way");
  completing_.clear();
  join_received();
  do {  // a step that only preempted is no step
    preempted_ = false;
    decodes_ = false;
    chunks_.clear();
    choose(policy_.agenda({.decoding = decoding_,
                           .prefilling = static_cast<std::int64_t>(prefilling_.size()),
                           .waiting = static_cast<std::int64_t>(waiting_.size())},
                          settings_.serving),
           now, timer);
  } while (preempted_ && !decodes_ && chunks_.empty());
  if (!decodes_ && chunks_.empty()) return nullptr;
  note_completing();
  sum_up();
  return this;
}

void Instance::choose(const Agenda& agenda, Nanoseconds now, BatchTimer& timer) {
  const auto room = [&] { return running() + reserved_ < settings_.serving.max_num_seqs; };
  if (agenda.admit) {
    while (!waiting_.empty() && at(waiting_.front()).state == Sequence::State::swapped && room()) {
      // With room for its next token: it would make room for that itself otherwise, for ever.
      const std::int64_t blocks = blocks_for(at(waiting_.front()).target + 1);
      if (blocks > pool_.free() - watermark_) break;
      bring_back(waiting_.front());
      waiting_.pop_front();
    }
  }
  if (agenda.decodes == Agenda::Decodes::always) take_decodes(timer);
  std::int64_t budget = agenda.tokens - (decodes_ ? decoding_ : 0);
  if (agenda.prompts) {
    go_on_with_prompts(budget, timer);
    if (policy_.chunked && !preempted_) take_over_prompts(budget);
  }
  if (agenda.admit && !preempted_) {
    while (!waiting_.empty() && at(waiting_.front()).state == Sequence::State::waiting && room() &&
           admit(waiting_.front(), budget, now))
      waiting_.pop_front();
  }
  if (agenda.decodes == Agenda::Decodes::without_prompts && chunks_.empty()) take_decodes(timer);
}

void Instance::take_decodes(BatchTimer& timer) {
  if (settings_.serving.allocation == KvAllocation::paged) {
    while (needed() > pool_.free()) preempt(last_, timer);
    pool_.take(needed());
  }
  decodes_ = decoding_ > 0;
}

void Instance::go_on_with_prompts(std::int64_t& budget, BatchTimer& timer) {
  const std::int64_t unit_blocks = pool_.unit_blocks();
  for (std::size_t i = 0; i < prefilling_.size() && budget > 0; ++i) {
    const std::int32_t s = prefilling_[i];
    const std::int64_t tokens = std::min(budget, at(s).target - at(s).computed);
    const std::int64_t own = blocks_for(at(s).computed + tokens) - at(s).units * unit_blocks;
    while (settings_.serving.allocation == KvAllocation::paged && own - at(s).own > pool_.free()) {
      // Whoever was admitted last makes room, but not once its step is taken: that ends first then.
      if (decodes_ && at(last_).state == Sequence::State::decoding) return;
      const bool itself = last_ == s;
      preempt(last_, timer);
      if (itself) return;
    }
    add_chunk(s, tokens);
    budget -= tokens;
  }
}

void Instance::add_chunk(std::int32_t s, std::int64_t tokens) {
  Sequence& q = at(s);
  const std::int64_t cached = q.computed;
  if (settings_.serving.allocation == KvAllocation::paged) {
    const std::int64_t own = blocks_for(cached + tokens) - q.units * pool_.unit_blocks();
    pool_.take(own - q.own);
    q.own = own;
    publish_units(q, cached + tokens);
  }
  q.computed += tokens;
  chunks_.push_back({s, tokens, cached});
}

/// From the step on that computes them, as vLLM does: what is admitted beside it finds them.
void Instance::publish_units(Sequence& s, std::int64_t tokens) {
  const auto ids = identities(request_of(s), tokens);
  while (s.units < static_cast<std::int64_t>(ids.size()) &&
         pool_.publish(ids[static_cast<std::size_t>(s.units)])) {
    ++s.units;
    s.own -= pool_.unit_blocks();
  }
}

/// Tokens in the cache of the decoding sequence that has most.   requires decoding sequences
std::int64_t Instance::longest_cached() {
  while (true) {
    const Longest& top = longest_.top();
    const Sequence& s = at(top.sequence);
    if (s.lane == lane_ && s.state == Sequence::State::decoding && s.target - s.joined == top.behind_clock)
      return top.behind_clock + clock_;
    longest_.pop();
  }
}

void Instance::sum_up() {
  totals = {};
  if (decodes_)
    totals.attended.single = {.count = decoding_,
                              .fresh = decoding_,
                              .all = decoding_cached_ + decoding_,
                              .longest = longest_cached() + 1};
  for (const Chunk& c : chunks_)
    (c.tokens == 1 ? totals.attended.single : totals.attended.prompts).add({c.tokens, c.cached});
  totals.logit_rows = totals.sequences();
}

void Instance::slices(std::vector<BatchSlice>& out) const {
  out.clear();
  for (std::int32_t s = first_; s >= 0 && decodes_; s = at(s).behind) {
    if (at(s).state == Sequence::State::decoding) out.push_back({at(s).request, 1, cached_tokens(at(s))});
  }
  for (const Chunk& c : chunks_) out.push_back({at(c.sequence).request, c.tokens, c.cached});
}

Result<Instance::Jumped> Instance::jump(Nanoseconds now, Nanoseconds horizon, BatchTimer& timer) {
  Jumped jumped{.now = now, .under_way = {}};
  const bool paged = settings_.serving.allocation == KvAllocation::paged;
  if (!waiting_.empty() || !prefilling_.empty() || !received_.empty() || decoding_ == 0 || joined_count_ > 0)
    return jumped;
  chunks_.clear();
  decodes_ = true;
  ServedSpan span{.instance = settings_.number, .start = now, .steps = 0};
  const auto ended = [&] {
    if (span.steps > 0) run_.spans.add(span);
  };
  while (ends_.top().at > clock_ + 1) {
    const std::int64_t blocks = paged ? needed() : 0;
    if (blocks > pool_.free()) break;
    pool_.take(blocks);
    sum_up();
    const Result<Nanoseconds> time = timer.time(*this);
    if (!time) return failure(time.error());
    const Nanoseconds end = jumped.now + *time;
    if (end >= horizon) {
      ended();
      run_.spans.add({.instance = settings_.number, .start = jumped.now, .end = end, .totals = totals});
      step_ = jumped.now;
      jumped.under_way = end;
      return jumped;
    }
    count_decodes(end);
    note(jumped.now, end, decoding_);
    ++run_.jumped_steps;
    jumped.now = end;
    ++span.steps;
    span.end = end;
    span.totals = totals;
  }
  ended();
  return jumped;
}

}  // namespace inferometer
