#pragma once
#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "model/traffic.hpp"
#include "simulator/event_queue.hpp"

namespace inferometer {

constexpr Nanoseconds forever{std::numeric_limits<std::int64_t>::max()};

/// Requests in the order in which they arrive. Those that wait for another are known once that one ends.
class Arrivals {
 public:
  explicit Arrivals(const Traffic& traffic)
      : traffic_(traffic), client_delay_(to_ticks(traffic.client_delay)) {
    const auto n = static_cast<std::int32_t>(traffic.requests.size());
    for (std::int32_t r = 0; r < n; ++r) {
      const std::int32_t after = request(r).after;
      if (after >= 0) {
        if (next_.empty()) first_.assign(traffic.requests.size(), -1), next_ = first_;
        next_[index(r)] = std::exchange(first_[index(after)], r);
      } else {
        open_.push_back(r);
      }
    }
    if (traffic.concurrency == 0) return;
    for (std::int64_t i = 0; i < traffic.concurrency; ++i) issue_next(Nanoseconds{0});
  }

  /// Whether the end of one request can be the cause of another.
  bool follow() const { return traffic_.concurrency > 0 || !next_.empty(); }
  Nanoseconds next_time() const {
    const Nanoseconds posted = followers_.empty() ? forever : followers_.next_time();
    return std::min(posted, open_time());
  }
  std::int32_t pop() {
    if (followers_.empty() || open_time() <= followers_.next_time()) return open_[position_++];
    return followers_.pop().payload;
  }
  void ended(std::int32_t r, Nanoseconds when) {
    const std::int32_t follower = next_.empty() ? -1 : first_[index(r)];
    for (std::int32_t f = follower; f >= 0; f = next_[index(f)])
      followers_.post(when + client_delay_ + request(f).arrival, f);
    // A session that goes on keeps its place in a closed loop.
    if (traffic_.concurrency > 0 && follower < 0) issue_next(when + client_delay_);
  }

 private:
  static std::size_t index(std::int32_t r) { return static_cast<std::size_t>(r); }
  const Request& request(std::int32_t r) const { return traffic_.requests[index(r)]; }
  Nanoseconds open_time() const {
    if (traffic_.concurrency > 0 || position_ == open_.size()) return forever;
    return request(open_[position_]).arrival;
  }
  void issue_next(Nanoseconds when) {
    if (position_ < open_.size()) followers_.post(when, open_[position_++]);
  }

  const Traffic& traffic_;
  const Nanoseconds client_delay_;
  std::vector<std::int32_t> open_;          // that wait for no other
  std::size_t position_ = 0;                // of the next of them
  std::vector<std::int32_t> first_, next_;  // followers of each request, as lists
  EventQueue<std::int32_t> followers_;
};

}  // namespace inferometer
