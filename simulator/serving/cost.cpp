#include "simulator/serving/cost.hpp"

#include <algorithm>

namespace inferometer {
namespace {

/// Reasons why something is not known, each once.
class Unknown {
 public:
  void add(const std::string& why) {
    if (std::find(reasons_.begin(), reasons_.end(), why) != reasons_.end()) return;
    text_ += (text_.empty() ? "" : "; ") + why;
    reasons_.push_back(why);
  }
  const std::string& text() const { return text_; }

 private:
  std::vector<std::string> reasons_;
  std::string text_;
};

std::int64_t devices_of(const CostedReplicas& r) {
  return r.c.serving.replicas * r.c.plan.parallel.devices();
}

}  // namespace

ServingCost cost_of(const ServingMetrics& m, std::span<const CostedReplicas> all) {
  ServingCost cost{.devices = 0};
  for (const CostedReplicas& r : all) cost.devices += devices_of(r);
  const auto devices = static_cast<double>(cost.devices);
  const Seconds duration{m.simulated_s};
  Unknown unknown;
  for (const CostedReplicas& r : all) {
    if (!r.above_idle) unknown.add(r.why_not);
  }
  if (unknown.text().empty() && m.simulated_s > 0) {
    cost.energy = Joules{0};
    for (const CostedReplicas& r : all)
      *cost.energy = *cost.energy +
                     (r.c.cluster.device.idle_power->value * (static_cast<double>(devices_of(r)) * duration) +
                      static_cast<double>(r.c.plan.parallel.tensor) * *r.above_idle);
    cost.mean_power = *cost.energy / (devices * duration);
    cost.energy_per_output_token = Joules{cost.energy->value / (m.output_throughput * m.simulated_s)};
  }
  bool priced = true;
  for (const CostedReplicas& r : all) {
    if (r.c.cluster.device.price) continue;
    priced = false;
    unknown.add(r.c.cluster.device.name + " has no price");
  }
  if (priced && m.output_throughput > 0) {
    const auto of_million = [&](double tokens_per_second) {
      Dollars sum{0};
      for (const CostedReplicas& r : all)
        sum = sum + r.c.cluster.device.price->value *
                        (static_cast<double>(devices_of(r)) * Seconds{1e6 / tokens_per_second});
      return sum;
    };
    cost.per_million_output_tokens = of_million(m.output_throughput);
    cost.per_million_total_tokens = of_million(m.total_token_throughput);
  }
  cost.not_known = unknown.text();
  return cost;
}

ServingCost cost_of(const ServingMetrics& m, const Case& c, std::optional<Joules> above_idle,
                    std::string why_not) {
  const CostedReplicas one{c, above_idle, std::move(why_not)};
  return cost_of(m, std::span{&one, 1});
}

}  // namespace inferometer
