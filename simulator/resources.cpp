#include "simulator/resources.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/result.hpp"

namespace inferometer {
namespace {

/// Usage [units/s] at speed 1. A task without duration is over at once and uses nothing.
double usage(const Claim& claim, const Demand& demand) {
  return claim.duration > Seconds{0} ? demand.amount / claim.duration.count() : 0;
}

}  // namespace

FairShare::FairShare(std::span<const double> capacities)
    : capacities_(capacities), contended_(capacities.size()), full_at_(capacities.size()) {}

const std::vector<double>& FairShare::speeds(std::span<const Claim> claims) {
  find_contended(claims);
  for (double level = 0;;) {
    double first_at_speed_1 = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < claims.size(); ++i) {
      if (speeds_[i] == 0) first_at_speed_1 = std::min(first_at_speed_1, dominant_[i]);
    }
    if (std::isinf(first_at_speed_1)) return speeds_;  // all have stopped

    level = std::max(level, next_full(claims));  // levels only rise; rounding must not say otherwise
    if (first_at_speed_1 <= level) {
      level = first_at_speed_1;
      for (std::size_t i = 0; i < claims.size(); ++i) {
        if (speeds_[i] == 0 && dominant_[i] <= level) speeds_[i] = 1;
      }
    } else {
      stop_users_of_full(claims, level);
    }
  }
}

/// Also stops, at speed 1, the claims that use nothing contended.
void FairShare::find_contended(std::span<const Claim> claims) {
  speeds_.assign(claims.size(), 1.0);
  dominant_.assign(claims.size(), 0.0);
  asked_.assign(capacities_.size(), 0.0);
  for (const Claim& claim : claims) {
    for (const Demand& demand : claim.demands) asked_[demand.resource] += usage(claim, demand);
  }
  for (std::size_t r = 0; r < capacities_.size(); ++r) {
    contended_[r] = asked_[r] > capacities_[r] * (1 + capacity_slack);
  }
  for (std::size_t i = 0; i < claims.size(); ++i) {
    for (const Demand& demand : claims[i].demands) {
      if (!contended_[demand.resource]) continue;
      dominant_[i] = std::max(dominant_[i], usage(claims[i], demand) / capacities_[demand.resource]);
    }
    if (dominant_[i] > 0) speeds_[i] = 0;
  }
}

/// The level at which the first resource is full if the claims that still rise go on rising.
double FairShare::next_full(std::span<const Claim> claims) {
  left_.assign(capacities_.begin(), capacities_.end());
  slope_.assign(capacities_.size(), 0.0);
  for (std::size_t i = 0; i < claims.size(); ++i) {
    for (const Demand& demand : claims[i].demands) {
      const double full_speed = usage(claims[i], demand);
      if (!contended_[demand.resource]) continue;
      if (speeds_[i] > 0) {
        left_[demand.resource] -= speeds_[i] * full_speed;
      } else {
        slope_[demand.resource] += full_speed / dominant_[i];
      }
    }
  }
  double level = std::numeric_limits<double>::infinity();
  for (std::size_t r = 0; r < capacities_.size(); ++r) {
    full_at_[r] = slope_[r] > 0 ? left_[r] / slope_[r] : std::numeric_limits<double>::infinity();
    level = std::min(level, full_at_[r]);
  }
  return level;
}

void FairShare::stop_users_of_full(std::span<const Claim> claims, double level) {
  for (std::size_t i = 0; i < claims.size(); ++i) {
    if (speeds_[i] > 0) continue;
    const bool uses_full = std::any_of(
        claims[i].demands.begin(), claims[i].demands.end(),
        [&](const Demand& demand) { return demand.amount > 0 && full_at_[demand.resource] <= level; });
    if (uses_full) speeds_[i] = level / dominant_[i];
  }
}

void validate(const Claim& claim, std::span<const double> capacities) {
  for (std::size_t i = 0; i < claim.demands.size(); ++i) {
    const auto [resource, amount] = claim.demands[i];
    require(resource >= 0 && static_cast<std::size_t>(resource) < capacities.size(),
            "a demand names a resource that has no capacity");
    require(amount >= 0 && std::isfinite(amount), "a demand is negative or not finite");
    require(amount <= capacities[resource] * claim.duration.count() * (1 + capacity_slack),
            "a demand is more than its resource gives in the task's time alone");
    for (std::size_t j = 0; j < i; ++j) {
      require(claim.demands[j].resource != resource, "a task names a resource twice");
    }
  }
}

}  // namespace inferometer
