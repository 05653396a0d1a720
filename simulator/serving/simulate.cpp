#include "simulator/serving/simulate.hpp"

#include <algorithm>
#include <limits>

#include "simulator/event_queue.hpp"
#include "simulator/serving/expert_group.hpp"
#include "simulator/serving/pipeline.hpp"
#include "simulator/serving/routers.hpp"

namespace inferometer {
namespace {

constexpr Nanoseconds forever{std::numeric_limits<std::int64_t>::max()};

/// Requests in the order in which they arrive. Those that wait for another are known once that one ends.
class Arrivals {
 public:
  explicit Arrivals(const Traffic& traffic) : traffic_(traffic) {
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
      followers_.post(when + request(f).arrival, f);
    // A session that goes on keeps its place in a closed loop.
    if (traffic_.concurrency > 0 && follower < 0) issue_next(when);
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
  std::vector<std::int32_t> open_;          // that wait for no other
  std::size_t position_ = 0;                // of the next of them
  std::vector<std::int32_t> first_, next_;  // followers of each request, as lists
  EventQueue<std::int32_t> followers_;
};

class Server {
 public:
  Server(const ServerSettings& settings, const Traffic& traffic, BatchTimer& timer,
         const ServingProgress& progress)
      : traffic_(traffic),
        timer_(timer),
        progress_(progress),
        report_each_(std::max<std::int64_t>(1, static_cast<std::int64_t>(traffic.requests.size()) / 100)),
        arrivals_(traffic),
        rule_(rule_of(settings.router)) {
    run_.requests.resize(traffic.requests.size());
    run_.instances = settings.replicas * settings.ranks;
    run_.kv_blocks = settings.instance.kv_blocks;
    for (std::int64_t i = 0; i < settings.replicas; ++i) replicas_.push_back(replica_of(settings));
    loads_.resize(replicas_.size());
  }

  Result<ServingRun> serve() {
    while (true) {
      const Nanoseconds arrival = arrivals_.next_time();
      const Nanoseconds step = steps_.empty() ? forever : steps_.next_time();
      if (arrival == forever && step == forever) break;
      if (arrival <= step) {
        arrive(arrival);
        for (const std::size_t i : std::exchange(woken_, {})) {
          if (Done done = advance(i, arrival); !done) return failure(done.error());
        }
        continue;
      }
      const std::size_t i = steps_.pop().payload;
      finish(i, step);
      // What follows at once is there before the next step begins.
      arrive(step);
      woken_.push_back(i);
      for (const std::size_t w : std::exchange(woken_, {})) {
        if (Done done = advance(w, step); !done) return failure(done.error());
      }
    }
    return std::move(run_);
  }

 private:
  std::unique_ptr<Replica> replica_of(const ServerSettings& settings) {
    if (settings.stages > 1)
      return std::make_unique<Pipeline>(settings.instance, settings.stages, traffic_, run_);
    if (settings.ranks > 1)
      return std::make_unique<ExpertGroup>(settings.instance, settings.ranks, traffic_, run_);
    return std::make_unique<Instance>(settings.instance, traffic_, run_);
  }

  /// All that arrive at one instant.
  void arrive(Nanoseconds now) {
    while (arrivals_.next_time() <= now) {
      const std::int32_t r = arrivals_.pop();
      if (rule_.looks) {
        for (std::size_t i = 0; i < replicas_.size(); ++i)
          loads_[i] = replicas_[i]->load(r, rule_.router == ReplicaRouter::prefix_aware);
      }
      const std::size_t i = rule_.choose(loads_, arrived_++);
      if (!replicas_[i]->enqueue(r, now)) {
        count(r, now);
      } else if (!replicas_[i]->stepping()) {
        woken_.push_back(i);
      }
    }
  }

  void finish(std::size_t i, Nanoseconds now) {
    ended_.clear();
    replicas_[i]->finish(now, timer_, ended_);
    for (const std::int32_t r : ended_) count(r, now);
  }

  /// A request ended, or was rejected.
  void count(std::int32_t r, Nanoseconds now) {
    arrivals_.ended(r, now);
    if (++counted_ % report_each_ == 0 && progress_)
      progress_(static_cast<double>(counted_) / static_cast<double>(traffic_.requests.size()));
  }

  /// Runs a replica's steps up to the first that ends when something else may touch it: the next arrival,
  /// or where ends cause arrivals, the end of any other step.
  Done advance(std::size_t i, Nanoseconds now) {
    Replica& replica = *replicas_[i];
    const bool follow = arrivals_.follow();
    while (!replica.stepping()) {  // it was woken twice at one instant otherwise
      Nanoseconds horizon = arrivals_.next_time();
      if (follow && !steps_.empty()) horizon = std::min(horizon, steps_.next_time());
      const Result<Replica::Jumped> jumped = replica.jump(now, horizon, timer_);
      if (!jumped) return failure(jumped.error());
      now = jumped->now;
      if (jumped->under_way) {
        steps_.post(*jumped->under_way, i);
        return std::monostate{};
      }
      const Result<std::optional<Nanoseconds>> end = replica.begin(now, timer_);
      if (!end) return failure(end.error());
      if (!*end) return std::monostate{};
      if (follow || **end >= horizon || replica.overlaps()) {
        steps_.post(**end, i);
        continue;
      }
      now = **end;
      finish(i, now);
    }
    return std::monostate{};
  }

  const Traffic& traffic_;
  BatchTimer& timer_;
  const ServingProgress& progress_;
  const std::int64_t report_each_;  // ends of requests between two reports
  Arrivals arrivals_;
  const RouterRule& rule_;
  ServingRun run_;
  std::vector<std::unique_ptr<Replica>> replicas_;
  std::vector<ReplicaLoad> loads_;
  EventQueue<std::size_t> steps_;
  std::vector<std::size_t> woken_;
  std::vector<std::int32_t> ended_;
  std::int64_t arrived_ = 0, counted_ = 0;
};

}  // namespace

Result<ServingRun> simulate(const ServerSettings& settings, const Traffic& traffic, BatchTimer& timer,
                            const ServingProgress& progress) {
  if (traffic.block_tokens % settings.instance.block_tokens != 0)
    return failure("the traffic's identities of prompts are of " + std::to_string(traffic.block_tokens) +
                   " tokens, which is no multiple of kv.block_tokens, " +
                   std::to_string(settings.instance.block_tokens));
  return Server(settings, traffic, timer, progress).serve();
}

}  // namespace inferometer
