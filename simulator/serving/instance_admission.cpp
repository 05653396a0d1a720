#include <algorithm>
#include <utility>

#include "model/seeded.hpp"
#include "simulator/serving/instance.hpp"

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

bool Instance::can_serve(std::int32_t request) const {
  const Request& r = traffic_.requests[static_cast<std::size_t>(request)];
  const bool prefills = settings_.role == PoolRole::prefill;
  const std::int64_t longest = r.prompt_tokens + (prefills ? 1 : r.output_tokens);
  const std::int64_t limit = settings_.serving.max_model_len;
  const bool reserved = settings_.serving.allocation == KvAllocation::preallocated;
  // A token is cached by the step behind it: the last one is not.
  const std::int64_t most = blocks_for(reserved && limit > 0 ? limit : reserved ? longest : longest - 1);
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
  outstanding_ -= hit;
  if (RequestRecord& record = record_of(q); record.admitted == RequestRecord::never) {
    record.admitted = now;
    run_.prefix_hit_tokens += hit;  // what a preempted sequence finds again saved nothing
  }
  const std::int64_t tokens = policy_.chunked ? std::min(left, budget) : left;
  add_chunk(s, tokens);
  budget -= tokens;
  return true;
}

}  // namespace inferometer
