#include "simulator/serving/instance.hpp"

#include <algorithm>

#include "model/seeded.hpp"

namespace inferometer {
namespace {

/// What a predictor of output lengths says of a request: its length with a normal error (the sum of twelve
/// uniform draws), at least one token.
std::int64_t predicted_output(const Request& r, const InstanceSettings& settings, std::int32_t index) {
  const std::uint64_t key = tensor_key(settings.seed, "predicted output");
  double normal = 0;  // of variance 1: twelve draws from [-1, 1), halved
  for (std::uint64_t i = 0; i < 12; ++i)
    normal += 0.5 * static_cast<double>(seeded_uniform(key, 12 * static_cast<std::uint64_t>(index) + i));
  const double error = static_cast<double>(settings.serving.prediction_error_percent) / 100 * normal;
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(r.output_tokens * (1 + error) + 0.5));
}

}  // namespace

Instance::Instance(const InstanceSettings& settings, const Traffic& traffic,
                   std::vector<RequestRecord>& requests, PoolRun& run)
    : Instance(settings, traffic, requests, run,
               std::make_shared<Shared>(Shared{
                   .pool = KvPool(settings.kv_blocks,
                                  std::max<std::int64_t>(1, traffic.block_tokens / settings.block_tokens),
                                  settings.serving.prefix_caching)})) {
  require(traffic.block_tokens % settings.block_tokens == 0, "identities are of part of a block");
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

bool Instance::can_serve(std::int32_t request) const {
  const Request& r = traffic_.requests[static_cast<std::size_t>(request)];
  const bool prefills = settings_.role == PoolRole::prefill;
  const std::int64_t longest = r.prompt_tokens + (prefills ? 1 : r.output_tokens);
  const std::int64_t limit = settings_.serving.max_model_len;
  const bool reserved = settings_.serving.allocation == KvAllocation::preallocated;
  // The cache of a prompt's first token is made where it is decoded.
  const std::int64_t most = blocks_for(reserved && limit > 0 ? limit : prefills ? r.prompt_tokens : longest);
  // The memory of a step is planned for so many tokens.
  const bool fits = settings_.role == PoolRole::decode || policy_.chunked ||
                    r.prompt_tokens <= settings_.serving.max_num_batched_tokens;
  return fits && (limit == 0 || longest <= limit) && most <= pool_.blocks() - watermark_;
}

bool Instance::enqueue(std::int32_t request, Nanoseconds now) {
  const Request& r = traffic_.requests[static_cast<std::size_t>(request)];
  RequestRecord& record = records_[static_cast<std::size_t>(request)];
  record.arrival = now;
  record.rejected = !can_serve(request);
  if (record.rejected) return false;
  waiting_.push_back(
      make_sequence({.request = request, .state = Sequence::State::waiting, .target = r.prompt_tokens}));
  outstanding_ += tokens_of(request);
  return true;
}

std::int64_t Instance::cached_prefix(std::int32_t request) const {
  const Request& r = traffic_.requests[static_cast<std::size_t>(request)];
  return pool_.find(identities(r, r.prompt_tokens - 1)).units * traffic_.block_tokens;
}

/// Those of blocks that `tokens` tokens of the request, prompt and output, fill.
std::span<const std::uint64_t> Instance::identities(const Request& r, std::int64_t tokens) const {
  if (!settings_.serving.prefix_caching || traffic_.block_tokens == 0 ||
      settings_.serving.allocation != KvAllocation::paged)
    return {};
  const std::int64_t full = std::min<std::int64_t>(r.blocks, tokens / traffic_.block_tokens);
  return traffic_.blocks_of(r).first(static_cast<std::size_t>(full));
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

/// When what was to be swapped has been.
Nanoseconds Instance::behind_swaps(Nanoseconds now) {
  if (swap_time_ == Nanoseconds{0}) return now;
  const Nanoseconds start = std::max(now, shared_->link_free);
  const Nanoseconds end = start + std::exchange(swap_time_, Nanoseconds{0});
  shared_->link_free = end;
  run_.swaps.time += end - start;
  run_.spans.add({.kind = ServedSpan::Kind::swap,
                  .instance = settings_.number,
                  .part = settings_.part,
                  .start = start,
                  .end = end});
  return end;
}

void Instance::swap(std::int64_t blocks, Bytes SwapRun::*way) {
  const Bytes bytes = blocks * settings_.block;
  run_.swaps.*way += bytes;
  swap_time_ += to_ticks(bytes / settings_.host_link);
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

/// From host memory.
void Instance::bring_back(std::int32_t s) {
  Sequence& q = at(s);
  q.own = reservation(q);
  pool_.take(q.own);
  swap(blocks_for(q.target), &SwapRun::in);
  append_running(s);
  join(s);
}

/// Blocks that a sequence takes when it is admitted, or comes back.
std::int64_t Instance::reservation(const Sequence& s) const {
  const Request& r = request_of(s);
  switch (settings_.serving.allocation) {
    case KvAllocation::paged:
      return blocks_for(s.target);
    case KvAllocation::preallocated: {
      const std::int64_t limit = settings_.serving.max_model_len;
      return blocks_for(limit > 0 ? limit : r.prompt_tokens + r.output_tokens);
    }
    case KvAllocation::predicted:
      break;
  }
  const std::int64_t wanted = blocks_for(std::max(r.prompt_tokens + s.predicted_output, s.target + 1));
  return std::min(wanted, pool_.blocks() - watermark_);
}

bool Instance::admit(std::int32_t s, std::int64_t& budget, Nanoseconds now) {
  if (budget <= 0) return false;
  Sequence& q = at(s);
  const Request& r = request_of(q);
  const bool paged = settings_.serving.allocation == KvAllocation::paged;
  if (settings_.serving.allocation == KvAllocation::predicted && q.predicted_output == 0)
    q.predicted_output = predicted_output(r, settings_, q.request);
  const auto ids = identities(r, q.target - 1);
  const KvPool::Found found = pool_.find(ids);
  const std::int64_t shared = found.units * pool_.unit_blocks();
  std::int64_t remains = 0;
  if (q.remains != 0 && found.units >= q.units) {
    const std::int64_t useful = (q.target - 1) / settings_.block_tokens - shared;
    remains = std::clamp<std::int64_t>(pool_.remains(q.remains), 0, std::max<std::int64_t>(0, useful));
  }
  const std::int64_t total = reservation(q);
  if (total - shared + found.idle_blocks > pool_.free() - watermark_) return false;
  const std::int64_t hit = (shared + remains) * settings_.block_tokens, left = q.target - hit;
  const bool first = chunks_.empty() && !decodes_;
  if (!policy_.chunked && left > budget && !first) return false;

  for (const std::uint64_t id : ids.first(static_cast<std::size_t>(found.units))) pool_.reference(id);
  if (q.remains != 0) pool_.take_remains(std::exchange(q.remains, 0), remains);
  q.units = found.units;
  q.own = remains;
  q.computed = hit;
  if (!paged) pool_.take(q.own = total);
  q.state = Sequence::State::prefilling;
  append_running(s);
  prefilling_.push_back(s);
  run_.prefix_hit_tokens += hit;
  outstanding_ -= hit;
  if (RequestRecord& record = record_of(q); record.admitted == RequestRecord::never) record.admitted = now;
  const std::int64_t tokens = policy_.chunked ? std::min(left, budget) : left;
  add_chunk(s, tokens);
  budget -= tokens;
  return true;
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
