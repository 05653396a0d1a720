#include "simulator/serving/cost.hpp"

namespace inferometer {

ServingCost cost_of(const ServingMetrics& m, const Case& c, std::optional<Joules> above_idle,
                    std::string why_not) {
  const Device& device = c.cluster.device;
  ServingCost cost{.devices = c.serving.replicas * c.plan.parallel.devices()};
  const auto devices = static_cast<double>(cost.devices);
  const Seconds duration{m.simulated_s};
  if (above_idle && m.simulated_s > 0) {
    cost.energy = device.idle_power->value * (devices * duration) +
                  static_cast<double>(c.plan.parallel.tensor) * *above_idle;
    cost.mean_power = *cost.energy / (devices * duration);
    cost.energy_per_output_token = Joules{cost.energy->value / (m.output_throughput * m.simulated_s)};
  } else if (!above_idle) {
    cost.not_known = std::move(why_not);
  }
  if (!device.price) {
    cost.not_known += (cost.not_known.empty() ? "" : "; ") + device.name + " has no price";
  } else if (m.output_throughput > 0) {
    const auto of_million = [&](double tokens_per_second) {
      return device.price->value * (devices * Seconds{1e6 / tokens_per_second});
    };
    cost.per_million_output_tokens = of_million(m.output_throughput);
    cost.per_million_total_tokens = of_million(m.total_token_throughput);
  }
  return cost;
}

}  // namespace inferometer
