#include "simulator/serving/simulate.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>

#include "simulator/event_queue.hpp"
#include "simulator/serving/arrivals.hpp"
#include "simulator/serving/expert_group.hpp"
#include "simulator/serving/handovers.hpp"
#include "simulator/serving/pipeline.hpp"
#include "simulator/serving/routers.hpp"

namespace inferometer {
namespace {

class Server {
 public:
  Server(const PooledServer& settings, const Traffic& traffic, std::span<BatchTimer* const> timers,
         const ServingProgress& progress)
      : traffic_(traffic),
        timers_(timers),
        progress_(progress),
        report_each_(std::max<std::int64_t>(1, static_cast<std::int64_t>(traffic.requests.size()) / 100)),
        arrivals_(traffic),
        rule_(rule_of(settings.router)),
        overlap_(settings.transfer.overlap) {
    run_.requests.resize(traffic.requests.size());
    run_.pools.resize(settings.pools.size());
    std::vector<BytesPerSecond> links;
    std::int64_t sent_block_tokens = 1;
    for (std::size_t p = 0; p < settings.pools.size(); ++p) {
      const PoolSettings& pool = settings.pools[p];
      PoolRun& run = run_.pools[p];
      run.name = pool.name;
      run.device = pool.device;
      run.role = pool.instance.role;
      run.instances = pool.replicas * pool.ranks;
      run.ranks = pool.ranks;
      run.kv_blocks = pool.instance.kv_blocks;
      per_token_.push_back(pool.per_token);
      if (run.role == PoolRole::decode) sent_block_tokens = pool.instance.block_tokens;
      Group& group = run.role == PoolRole::decode ? decoders_ : entrances_;
      group.pools.push_back(p);
      first_of_.push_back(replicas_.size());
      for (std::int64_t i = 0; i < pool.replicas; ++i) {
        group.replicas.push_back(replicas_.size());
        InstanceSettings instance = pool.instance;
        instance.number = static_cast<std::int32_t>(i);
        replicas_.push_back(make_replica(pool, instance, run));
        pool_of_.push_back(p);
        first_instance_.push_back(instances_.size());
        for (Instance* one : replicas_.back()->instances()) {
          instances_.push_back(one);
          replica_of_.push_back(replicas_.size() - 1);
          links.push_back(pool.link);
        }
      }
    }
    first_instance_.push_back(instances_.size());
    const PooledServer::Transfer& t = settings.transfer;
    if (!decoders_.replicas.empty())
      handovers_.emplace(instances_, traffic, KvLinks(std::move(links), t.latency), t.block,
                         sent_block_tokens, t.layers, run_.transfers);
  }

  Result<ServingRun> serve() {
    while (true) {
      const Nanoseconds arrival = arrivals_.next_time();
      const Nanoseconds step = steps_.empty() ? forever : steps_.next_time();
      const Nanoseconds sent = handovers_ && handovers_->under_way() ? handovers_->next_time() : forever;
      const Nanoseconds now = std::min({arrival, step, sent});
      if (now == forever) break;
      if (now == arrival) {
        arrive(now);
      } else if (now == step) {
        const std::size_t i = steps_.pop().payload;
        finish(i, now);
        // What follows at once is there before the next step begins.
        arrive(now);
        woken_.push_back(i);
      } else {
        receive(now);
      }
      if (Done done = wake(now); !done) return failure(done.error());
    }
    for (const Instance* instance : instances_)
      require(instance->pool().used() == 0, "blocks were not given back");
    std::vector<PoolRun> pools = std::move(run_.pools);
    run_.pools.clear();
    static_cast<PoolRun&>(run_) = pools.front();
    if (pools.size() == 1) return std::move(run_);
    run_.name.clear();
    run_.device.clear();
    run_.spans = {};
    for (std::size_t p = 1; p < pools.size(); ++p) run_.add(pools[p]);
    run_.pools = std::move(pools);
    return std::move(run_);
  }

 private:
  /// Replicas that one request can go to.
  struct Group {
    std::vector<std::size_t> pools, replicas;
    std::int64_t routed = 0;
  };

  std::unique_ptr<Replica> make_replica(const PoolSettings& pool, const InstanceSettings& settings,
                                        PoolRun& run) {
    if (pool.stages > 1)
      return std::make_unique<Pipeline>(settings, pool.stages, traffic_, run_.requests, run);
    if (pool.ranks > 1)
      return std::make_unique<ExpertGroup>(settings, pool.ranks, traffic_, run_.requests, run);
    return std::make_unique<Instance>(settings, traffic_, run_.requests, run);
  }

  BatchTimer& timer_of(std::size_t i) { return *timers_[pool_of_[i]]; }

  /// Whether a pool can do its part of a request, and another what follows that.
  bool serves(std::size_t pool, std::int32_t r) const {
    const auto can = [&](std::size_t p) { return replicas_[first_of_[p]]->can_serve(r); };
    const bool goes_on = run_.pools[pool].role == PoolRole::prefill &&
                         traffic_.requests[static_cast<std::size_t>(r)].output_tokens > 1;
    return can(pool) && (!goes_on || std::any_of(decoders_.pools.begin(), decoders_.pools.end(), can));
  }

  /// Those of a group that can serve a request; of one pool all, which reject it themselves.
  const std::vector<std::size_t>& able(const Group& group, std::int32_t r) {
    if (run_.pools.size() == 1) return group.replicas;
    const auto serves = [&](std::size_t p) { return this->serves(p, r); };
    if (std::all_of(group.pools.begin(), group.pools.end(), serves)) return group.replicas;
    able_.clear();
    std::copy_if(group.replicas.begin(), group.replicas.end(), std::back_inserter(able_),
                 [&](std::size_t i) { return serves(pool_of_[i]); });
    return able_;
  }

  /// returns  nothing where no replica of several pools can serve it
  std::optional<std::size_t> route(Group& group, std::int32_t r) {
    const std::vector<std::size_t>& open = able(group, r);
    if (open.empty()) return std::nullopt;
    // What a decode instance has of a prompt saves it a transfer, but no tokens.
    const bool prefixes = rule_.router == ReplicaRouter::prefix_aware && &group == &entrances_;
    loads_.resize(open.size());
    for (std::size_t l = 0; l < open.size() && rule_.looks; ++l) {
      const std::size_t i = open[l];
      loads_[l] = replicas_[i]->load(r, prefixes);
      ++loads_[l].requests;
      loads_[l].outstanding_tokens += replicas_[i]->tokens_of(r);
      loads_[l].per_token = per_token_[pool_of_[i]];
    }
    return open[rule_.choose(loads_, group.routed++)];
  }

  /// All that arrive at one instant.
  void arrive(Nanoseconds now) {
    while (arrivals_.next_time() <= now) {
      const std::int32_t r = arrivals_.pop();
      const std::optional<std::size_t> i = route(entrances_, r);
      if (!i) {
        RequestRecord& record = run_.requests[static_cast<std::size_t>(r)];
        record.arrival = now;
        record.rejected = true;
        count(r, now);
        continue;
      }
      if (!replicas_[*i]->enqueue(r, now)) {
        count(r, now);
      } else if (!replicas_[*i]->stepping()) {
        woken_.push_back(*i);
      }
    }
  }

  void finish(std::size_t i, Nanoseconds now) {
    ended_.clear();
    replicas_[i]->finish(now, timer_of(i), ended_);
    for (const std::int32_t r : ended_) count(r, now);
    if (!handovers_) return;
    if (overlap_ == KvOverlap::none) hand_over(i, now, now);
    for (std::size_t n = first_instance_[i]; n < first_instance_[i + 1]; ++n)
      handovers_->look_for_room(n, now);
  }

  /// The prompts that a step of a replica ends, when their cache begins to leave: from the step's start on,
  /// or at its end (start = end then).
  void hand_over(std::size_t i, Nanoseconds start, Nanoseconds end) {
    for (std::size_t n = first_instance_[i]; n < first_instance_[i + 1]; ++n) {
      for (const Instance::Completing& c : instances_[n]->completing()) {
        const std::optional<std::size_t> to = route(decoders_, c.request);
        require(to.has_value(), "a prompt was computed that nobody can decode");
        handovers_->ask({.request = c.request,
                         .from = n,
                         .to = first_instance_[*to] + replicas_[*to]->next_instance(),
                         .tokens = overlap_ == KvOverlap::layers ? c.tokens : 0,
                         .start = start,
                         .step = end - start},
                        start);
      }
    }
  }

  /// All caches that have come at one instant.
  void receive(Nanoseconds now) {
    while (handovers_->under_way() && handovers_->next_time() == now) {
      const std::optional<Handover> h = handovers_->pop();
      if (!h) continue;
      instances_[h->from]->release(h->request, timer_of(replica_of_[h->from]));
      instances_[h->to]->receive(h->sequence);
      woken_.push_back(replica_of_[h->from]);
      woken_.push_back(replica_of_[h->to]);
    }
  }

  Done wake(Nanoseconds now) {
    const std::vector<std::size_t> woken = std::exchange(woken_, {});
    std::size_t last = woken.size();  // from here on no other is behind
    while (last > 0 && woken[last - 1] == woken.back()) --last;
    for (std::size_t w = 0; w < woken.size(); ++w) {
      if (Done done = advance(woken[w], now, w >= last); !done) return failure(done.error());
    }
    return std::monostate{};
  }

  /// A request ended, or was rejected.
  void count(std::int32_t r, Nanoseconds now) {
    arrivals_.ended(r, now);
    if (++counted_ % report_each_ == 0 && progress_)
      progress_(static_cast<double>(counted_) / static_cast<double>(traffic_.requests.size()));
  }

  /// Runs a replica's steps up to the first that ends when something else may touch it: the next arrival,
  /// where ends cause arrivals the end of any other step, and where caches go from one instance to another
  /// also what those do that are woken after it (`last`: there are none) and the ends of transfers.
  Done advance(std::size_t i, Nanoseconds now, bool last) {
    Replica& replica = *replicas_[i];
    BatchTimer& timer = timer_of(i);
    const bool follow = arrivals_.follow() || handovers_;
    while (!replica.stepping()) {  // it was woken twice at one instant otherwise
      Nanoseconds horizon = arrivals_.next_time();
      if (follow && !steps_.empty()) horizon = std::min(horizon, steps_.next_time());
      if (handovers_ && handovers_->under_way()) horizon = std::min(horizon, handovers_->next_time());
      if (handovers_ && !last) horizon = now;
      const Result<Replica::Jumped> jumped = replica.jump(now, horizon, timer);
      if (!jumped) return failure(jumped.error());
      now = jumped->now;
      if (jumped->under_way) {
        steps_.post(*jumped->under_way, i);
        return std::monostate{};
      }
      const Result<std::optional<Nanoseconds>> end = replica.begin(now, timer);
      if (!end) return failure(end.error());
      if (!*end) return std::monostate{};
      if (handovers_ && overlap_ == KvOverlap::layers) hand_over(i, now, **end);
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
  std::span<BatchTimer* const> timers_;
  const ServingProgress& progress_;
  const std::int64_t report_each_;  // ends of requests between two reports
  Arrivals arrivals_;
  const RouterRule& rule_;
  ServingRun run_;
  KvOverlap overlap_;
  std::vector<std::unique_ptr<Replica>> replicas_;
  std::vector<Instance*> instances_;         // of all replicas, for caches to be sent between
  std::vector<std::size_t> first_instance_;  // of each replica, and behind the last
  std::vector<std::size_t> replica_of_;      // of each instance
  std::vector<std::size_t> pool_of_;         // of each replica
  std::vector<std::size_t> first_of_;        // replica of each pool: they are alike
  std::vector<double> per_token_;            // of each pool
  Group entrances_, decoders_;
  std::optional<Handovers> handovers_;
  std::vector<ReplicaLoad> loads_;
  std::vector<std::size_t> able_;
  EventQueue<std::size_t> steps_;
  std::vector<std::size_t> woken_;
  std::vector<std::int32_t> ended_;
  std::int64_t counted_ = 0;
};

}  // namespace

Result<ServingRun> simulate(const ServerSettings& settings, const Traffic& traffic, BatchTimer& timer,
                            const ServingProgress& progress) {
  const PooledServer one{.pools = {{.instance = settings.instance,
                                    .replicas = settings.replicas,
                                    .stages = settings.stages,
                                    .ranks = settings.ranks}},
                         .router = settings.router};
  return simulate(one, traffic, std::array{&timer}, progress);
}

Result<ServingRun> simulate(const PooledServer& server, const Traffic& traffic,
                            std::span<BatchTimer* const> timers, const ServingProgress& progress) {
  for (const PoolSettings& pool : server.pools) {
    const bool shares = pool.instance.serving.prefix_caching;
    if (shares && traffic.block_tokens % pool.instance.block_tokens != 0)
      return failure("serving.prefix_caching: prompts are told apart by blocks of " +
                     std::to_string(traffic.block_tokens) +
                     " tokens (traffic.block_tokens), which is no multiple of kv.block_tokens, " +
                     std::to_string(pool.instance.block_tokens));
  }
  return Server(server, traffic, timers, progress).serve();
}

}  // namespace inferometer
