#include <algorithm>

#include "simulator/serving/instance.hpp"

// How sequences go to another instance with their cache, and come from one.

namespace inferometer {

void Instance::note_completing() {
  if (settings_.role != PoolRole::prefill) return;
  for (const Chunk& c : chunks_) {
    const Sequence& s = at(c.sequence);
    if (c.cached + c.tokens == s.target && request_of(s).output_tokens > 1)
      completing_.push_back({s.request, c.tokens});
  }
}

/// Its blocks stay, and so do shared ones that it uses.
void Instance::hold(std::int32_t index) {
  Sequence& s = at(index);
  s.state = Sequence::State::held;
  remove_running(index);
  held_.push_back(index);
}

void Instance::release(std::int32_t request, BatchTimer& timer) {
  const auto held =
      std::find_if(held_.begin(), held_.end(), [&](std::int32_t s) { return at(s).request == request; });
  require(held != held_.end(), "a sequence was released that is not held");
  Sequence& s = at(*held);
  free_blocks(s, false);
  timer.left(request);
  s.state = Sequence::State::unused;
  unused_.push_back(*held);
  held_.erase(held);
}

void Instance::expect(std::int32_t request) {
  expected_.push_back(request);
  outstanding_ += tokens_of(request);
}

std::optional<Instance::Reserved> Instance::reserve() {
  if (expected_.empty() || !waiting_.empty() || running() + reserved_ >= settings_.serving.max_num_seqs)
    return std::nullopt;
  const std::int32_t request = expected_.front();
  const Request& r = traffic_.requests[static_cast<std::size_t>(request)];
  const auto ids = identities(r, r.prompt_tokens);
  const KvPool::Found found = pool_.find(ids);
  const std::int64_t shared = found.units * pool_.unit_blocks();
  const std::int64_t own = blocks_for(r.prompt_tokens) - shared;
  if (own + found.idle_blocks > pool_.free() - watermark_) return std::nullopt;
  for (const std::uint64_t id : ids.first(static_cast<std::size_t>(found.units))) pool_.reference(id);
  pool_.take(own);
  expected_.pop_front();
  ++reserved_;
  const std::int32_t sequence = make_sequence({.request = request,
                                               .state = Sequence::State::reserved,
                                               .target = r.prompt_tokens,
                                               .generated = 1,
                                               .units = found.units,
                                               .own = own});
  return Reserved{request, sequence, shared * settings_.block_tokens};
}

void Instance::receive(std::int32_t index) {
  Sequence& s = at(index);
  require(s.state == Sequence::State::reserved, "a sequence came that nothing is reserved for");
  publish_units(s, s.target);
  received_.push_back(index);
}

void Instance::join_received() {
  for (const std::int32_t index : received_) {
    Sequence& s = at(index);
    s.last_token = record_of(s).first_token;
    append_running(index);
    join(index);
  }
  reserved_ -= static_cast<std::int64_t>(received_.size());
  received_.clear();
}

}  // namespace inferometer
