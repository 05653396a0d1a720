#include "traffic/draw_sessions.hpp"

#include <algorithm>
#include <cmath>

#include "traffic/draw.hpp"
#include "traffic/row.hpp"

namespace inferometer {
namespace {

/// source  geometric by inversion: turns - 1 = floor(ln u / ln(1 - 1 / mean))
std::size_t drawn_turns(const SessionSpec& spec, Draws64& draws) {
  if (spec.distribution == TurnCount::fixed || spec.turns <= 1) return static_cast<std::size_t>(spec.turns);
  return 1 + static_cast<std::size_t>(natural_log(draws.uniform()) / natural_log(1 - 1 / spec.turns));
}

class Drawing {
 public:
  Drawing(const TrafficSpec& spec, std::uint64_t seed, Traffic& traffic)
      : spec_(spec),
        traffic_(traffic),
        turns_(seed, "turns"),
        thoughts_(seed, "think time"),
        shares_(seed, "shared prefix"),
        prefix_key_(tensor_key(seed, "prefix blocks")),
        session_key_(tensor_key(seed, "session blocks")) {
    traffic.block_tokens = spec.block_tokens > 0 ? spec.block_tokens : 16;
    if (spec.shared_prefix) add_blocks(prefix_key_, 0, spec.shared_prefix->tokens / traffic.block_tokens);
  }

  Done draw() {
    const std::size_t all = traffic_.requests.size();
    for (std::size_t begin = 0, end = 0; begin < all; begin = end, ++sessions_) {
      end = begin + std::min(spec_.sessions ? drawn_turns(*spec_.sessions, turns_) : 1, all - begin);
      const bool shares = spec_.shared_prefix && shares_.uniform() < spec_.shared_prefix->share;
      if (!join_turns(begin, end, shares ? spec_.shared_prefix->tokens : 0))
        return failure("a session's prompt grows beyond 100000000 tokens");
      identify(begin, end, shares ? spec_.shared_prefix->tokens : 0);
    }
    return std::monostate{};
  }

 private:
  bool join_turns(std::size_t begin, std::size_t end, std::int64_t history) {
    for (std::size_t i = begin; i < end; ++i) {
      Request& r = traffic_.requests[i];
      history += r.prompt_tokens;
      if (history > most_prompt_tokens) return false;
      r.prompt_tokens = static_cast<std::int32_t>(history);
      history += r.output_tokens;
      if (i == begin) continue;
      r.after = static_cast<std::int32_t>(i) - 1;
      r.arrival = to_ticks(spec_.sessions->think_time * thoughts_.exponential());
    }
    return true;
  }

  /// The turns of a session share the storage of what the last one has in common with the one before; all
  /// that have only the prefix in common with others that of the prefix.
  void identify(std::size_t begin, std::size_t end, std::int64_t prefix) {
    const std::int64_t of_prefix = prefix / traffic_.block_tokens;
    std::int64_t first = 0, common = of_prefix;
    if (end - begin > 1) {
      const Request& before = traffic_.requests[end - 2];
      first = std::ssize(traffic_.blocks);
      common = (before.prompt_tokens + before.output_tokens) / traffic_.block_tokens;
      add_blocks(prefix_key_, 0, of_prefix);
      add_blocks(mix(session_key_ + sessions_), of_prefix, common);
    }
    for (std::size_t i = begin; i < end; ++i) {
      Request& r = traffic_.requests[i];
      r.first_block = first;
      const std::int64_t said = r.prompt_tokens + r.output_tokens;
      r.blocks = static_cast<std::int32_t>(std::min(common, said / traffic_.block_tokens));
    }
  }

  void add_blocks(std::uint64_t key, std::int64_t from, std::int64_t to) {
    for (std::int64_t i = from; i < to; ++i)
      traffic_.blocks.push_back(mix(key + static_cast<std::uint64_t>(i)));
  }

  const TrafficSpec& spec_;
  Traffic& traffic_;
  Draws64 turns_, thoughts_, shares_;
  std::uint64_t prefix_key_, session_key_, sessions_ = 0;
};

}  // namespace

Done draw_sessions(const TrafficSpec& spec, std::uint64_t seed, Traffic& traffic) {
  return Drawing(spec, seed, traffic).draw();
}

}  // namespace inferometer
