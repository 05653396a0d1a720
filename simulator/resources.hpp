#pragma once
#include <span>
#include <vector>

#include "model/units.hpp"

namespace inferometer {

/// What a task takes from one resource in all, in that resource's own units (bytes, FLOPs, SM-seconds, ...).
/// A resource is an index into the caller's list of capacities [units/s].
struct Demand {
  int resource = 0;
  double amount = 0;
};

/// What a running task asks for: at speed 1 it uses amount / duration of each resource.
struct Claim {
  std::span<const Demand> demands;
  Seconds duration{0};  ///< of the part that uses the resources, when nothing else runs; zero uses nothing
};

/// Rounding that is forgiven, relative: in a demand that fills a capacity, and in what a resource carries.
inline constexpr double capacity_slack = 1e-9;

/// Shares resources max-min fairly between the tasks that run at one time.
///
/// Speed      s in (0, 1] of a task: 1 is as fast as alone. Its usage of resource r is s * amount_r /
/// duration. Contended  is a resource of which the tasks at speed 1 would use more than there is. The others
/// never fill. Share      of a task: its usage of the contended resource it leans on most, as a part of that
/// capacity:
///            s * d, where d = max over contended r of amount_r / (duration * capacity_r).
/// Fair       no task's share can be raised (speed <= 1, every resource within its capacity) without lowering
///            that of a task whose share is no larger. Equivalently: each task runs at speed 1, or uses a
///            full resource on which nobody has a larger share.
/// Found by   progressive filling: all shares rise together; a task stops at speed 1, and the users of a
///            resource stop when it is full.
/// Implies    with one contended resource: who asks for less than an equal part gets it all, the others split
///            the rest equally. n tasks run at speeds >= 1/n. Tasks that fit in together run at exactly 1.
/// Ignores    that sharing itself may cost (cache thrash, DRAM row conflicts): a capacity is the same for any
///            mix. With several contended resources, that each arbitrates by its own usage alone: a task's
///            share of one counts on all, so that speeds may jump when a second resource becomes contended.
/// Source     Bertsekas, Gallager, "Data Networks", 2nd ed., 6.5.2 (max-min flow control; a task is a session
///            through its resources). Unequal appetites for several resources: Ghodsi et al., "Dominant
///            Resource Fairness", NSDI 2011, here over the contended ones.
class FairShare {
 public:
  /// capacities  [units/s]; must outlive this object
  explicit FairShare(std::span<const double> capacities);

  /// The speeds, in the order of the claims; valid until the next call.
  ///
  /// requires  each claim within the capacities when alone (validate() checks it)
  /// cost      O(stops * demands); at most one stop a claim
  const std::vector<double>& speeds(std::span<const Claim> claims);

 private:
  void find_contended(std::span<const Claim> claims);
  double next_full(std::span<const Claim> claims);
  void stop_users_of_full(std::span<const Claim> claims, double level);

  std::span<const double> capacities_;
  std::vector<double> speeds_;    // 0 while the share still rises
  std::vector<double> dominant_;  // d, by claim
  std::vector<bool> contended_;   // by resource
  std::vector<double> asked_;     // usage at speed 1, by resource
  std::vector<double> left_;      // capacity that the stopped claims leave, by resource
  std::vector<double> slope_;     // usage per unit of level by the rising claims, by resource
  std::vector<double> full_at_;   // level at which the resource is full, by resource
};

/// Aborts unless every demand names a resource once, is not negative, and is no more than the resource gives
/// in `duration`: a time alone shorter than that contradicts the capacities.
void validate(const Claim& claim, std::span<const double> capacities);

}  // namespace inferometer
