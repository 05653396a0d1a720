#include <algorithm>

#include "simulator/serving/instance.hpp"

// How steps end, and how sequences come, go and give their blocks back.

namespace inferometer {

void Instance::finish(Nanoseconds end, BatchTimer& timer, std::vector<std::int32_t>& ended) {
  require(step_.has_value(), "a step was ended that was not begun");
  const std::int64_t tokens_before = run_.output_tokens;
  const Nanoseconds start = *std::exchange(step_, std::nullopt);
  if (decodes_) count_decodes(end);
  // The batch as it ran, before sequences end.
  const std::int64_t first_tokens = std::count_if(chunks_.begin(), chunks_.end(), [&](const Chunk& c) {
    return c.cached + c.tokens == at(c.sequence).target;
  });
  note(start, end, run_.output_tokens - tokens_before + first_tokens);
  if (decodes_) end_decodes(end, timer, ended);
  for (const Chunk& chunk : chunks_) end_chunk(chunk, end, timer, ended);
}

/// A token of each decoding sequence.
void Instance::count_decodes(Nanoseconds end) {
  run_.itl.add(end - last_decode_, decoding_ - joined_count_);
  for (const Joined& j : joined_) run_.itl.add(end - j.when, j.count);
  joined_.clear();
  joined_count_ = 0;
  last_decode_ = end;
  ++clock_;
  decoding_cached_ += decoding_;
  run_.output_tokens += decoding_;
  outstanding_ -= decoding_;
}

void Instance::end_decodes(Nanoseconds end, BatchTimer& timer, std::vector<std::int32_t>& ended) {
  while (!ends_.empty() && ends_.top().at <= clock_) {
    const End e = ends_.top();
    ends_.pop();
    Sequence& s = at(e.sequence);
    const bool here = s.state == Sequence::State::decoding && s.lane == lane_;
    if (!here || s.request != e.request || s.ends != e.at) continue;
    if (s.generated + clock_ - s.joined == request_of(s).output_tokens) {
      end_sequence(e.sequence, end, timer, ended);
    } else {  // its reserved blocks are full
      s.predicted_output *= 2;
      preempt(e.sequence, timer);
    }
  }
}

void Instance::end_chunk(const Chunk& chunk, Nanoseconds end, BatchTimer& timer,
                         std::vector<std::int32_t>& ended) {
  Sequence& s = at(chunk.sequence);
  run_.prompt_tokens += chunk.tokens;
  outstanding_ -= chunk.tokens;
  if (chunk.cached + chunk.tokens < s.target) return;
  prefilling_.erase(std::find(prefilling_.begin(), prefilling_.end(), chunk.sequence));
  ++s.generated;
  ++run_.output_tokens;
  --outstanding_;
  RequestRecord& record = record_of(s);
  if (record.first_token == RequestRecord::never) {
    record.first_token = end;
  } else {
    run_.itl.add(end - s.last_token);
  }
  s.last_token = end;
  if (s.generated == request_of(s).output_tokens) {
    end_sequence(chunk.sequence, end, timer, ended);
  } else if (settings_.role == PoolRole::prefill) {
    hold(chunk.sequence);
  } else {
    join(chunk.sequence);
  }
}

/// Among the decoding sequences; its last token was made at s.last_token.
void Instance::join(std::int32_t index) {
  Sequence& s = at(index);
  s.state = Sequence::State::decoding;
  s.joined = clock_;
  s.ends = clock_ + request_of(s).output_tokens - s.generated;
  if (settings_.serving.allocation != KvAllocation::paged)
    s.ends = std::min(s.ends, clock_ + s.own * settings_.block_tokens - s.target);
  ends_.push({s.ends, ends_pushed_++, index, s.request});
  longest_.push({s.target - s.joined, index});
  ++decoding_;
  decoding_cached_ += s.target;
  ++needs_of(s);
  ++joined_count_;
  if (!joined_.empty() && joined_.back().when == s.last_token) {
    ++joined_.back().count;
  } else {
    joined_.push_back({s.last_token, 1});
  }
}

void Instance::leave_decoding(const Sequence& s) {
  --decoding_;
  decoding_cached_ -= cached_tokens(s);
  --needs_of(s);
  if (s.joined != clock_) return;
  --joined_count_;
  --std::find_if(joined_.begin(), joined_.end(), [&](const Joined& j) {
      return j.when == s.last_token;
    })->count;
}

std::int64_t Instance::own_blocks(const Sequence& s) const {
  if (s.state != Sequence::State::decoding || settings_.serving.allocation != KvAllocation::paged)
    return s.own;
  return blocks_for(cached_tokens(s)) - s.units * pool_.unit_blocks();
}

/// comes_back  full blocks that are not shared are kept as remains
void Instance::free_blocks(Sequence& s, bool comes_back) {
  const std::int64_t own = own_blocks(s);
  const std::int64_t tokens = s.state == Sequence::State::decoding ? cached_tokens(s) : s.computed;
  const std::int64_t full = std::max<std::int64_t>(
      0, std::min(own, tokens / settings_.block_tokens - s.units * pool_.unit_blocks()));
  const bool keeps = comes_back && settings_.serving.allocation == KvAllocation::paged;
  pool_.give(keeps ? own - full : own);
  if (keeps) s.remains = pool_.leave_remains(full);
  const Request& r = request_of(s);
  const auto ids = identities(r, r.prompt_tokens + r.output_tokens);
  for (std::int64_t u = s.units - 1; u >= 0; --u) pool_.release(ids[static_cast<std::size_t>(u)]);
}

void Instance::preempt(std::int32_t index, BatchTimer& timer) {
  Sequence& s = at(index);
  const bool decoding = s.state == Sequence::State::decoding;
  const bool swaps = decoding && settings_.serving.preemption == Preemption::swap &&
                     settings_.serving.allocation == KvAllocation::paged;
  free_blocks(s, !swaps);
  if (decoding) {
    const std::int64_t cached = cached_tokens(s);
    if (s.joined != clock_) s.last_token = last_decode_;
    leave_decoding(s);
    s.generated += clock_ - s.joined;
    s.target = cached;
    if (swaps) {
      s.units = 0;
      swap(blocks_for(cached), &SwapRun::out);
    } else {
      ++s.target;  // the token that was made last is computed with them
      outstanding_ += s.target;
    }
  } else {
    prefilling_.erase(std::find(prefilling_.begin(), prefilling_.end(), index));
    outstanding_ += s.computed;
  }
  s.own = 0;
  s.computed = 0;
  s.state = swaps ? Sequence::State::swapped : Sequence::State::waiting;
  remove_running(index);
  waiting_.push_front(index);
  ++record_of(s).preemptions;
  ++run_.preemptions;
  preempted_ = true;
  timer.left(s.request);
}

void Instance::end_sequence(std::int32_t index, Nanoseconds end, BatchTimer& timer,
                            std::vector<std::int32_t>& ended) {
  Sequence& s = at(index);
  const bool decoding = s.state == Sequence::State::decoding;
  // The next turn of a session finds what was said. Nobody could before it ended.
  if (decoding) publish_units(s, cached_tokens(s));
  free_blocks(s, false);
  if (decoding) leave_decoding(s);
  remove_running(index);
  record_of(s).last_token = end;
  ended.push_back(s.request);
  timer.left(s.request);
  s.state = Sequence::State::unused;
  unused_.push_back(index);
}

void Instance::note(Nanoseconds start, Nanoseconds end, std::int64_t tokens) {
  // Steps of other lanes overlap with it.
  const Nanoseconds since = std::max(start, std::exchange(shared_->noted, end));
  const double seconds = std::chrono::duration<double>(end - since).count();
  ++run_.steps;
  run_.busy += end - since;
  run_.end = std::max(run_.end, end);
  run_.kv_peak = std::max(run_.kv_peak, pool_.used());
  run_.load.add(since, end,
                {.seconds = seconds,
                 .running = seconds * static_cast<double>(running()),
                 .waiting = seconds * static_cast<double>(waiting()),
                 .kv_used = seconds * static_cast<double>(pool_.used()),
                 .output_tokens = tokens});
}

std::int32_t Instance::make_sequence(Sequence s) {
  if (unused_.empty()) {
    sequences_.push_back(s);
    return static_cast<std::int32_t>(sequences_.size()) - 1;
  }
  const std::int32_t index = unused_.back();
  unused_.pop_back();
  at(index) = s;
  return index;
}

void Instance::append_running(std::int32_t index) {
  at(index).lane = lane_;
  at(index).before = last_;
  at(index).behind = -1;
  (last_ < 0 ? first_ : at(last_).behind) = index;
  last_ = index;
}

void Instance::remove_running(std::int32_t index) {
  const Sequence& s = at(index);
  (s.before < 0 ? first_ : at(s.before).behind) = s.behind;
  (s.behind < 0 ? last_ : at(s.behind).before) = s.before;
}

}  // namespace inferometer
