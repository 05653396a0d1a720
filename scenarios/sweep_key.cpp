#include "scenarios/sweep_key.hpp"

#include <fmt/format.h>

#include <bit>

#include "model/case_hash.hpp"
#include "model/seeded.hpp"

namespace inferometer {
namespace {

std::uint64_t joined(std::uint64_t hash, std::uint64_t more) { return mix(hash ^ mix(more)); }
std::uint64_t joined(std::uint64_t hash, double more) {
  return joined(hash, std::bit_cast<std::uint64_t>(more));
}
std::uint64_t joined(std::uint64_t hash, const std::string& more) {
  return joined(hash, tensor_key(1, more));
}

std::uint64_t joined(std::uint64_t hash, const Calibration& c) {
  hash = joined(hash, c.source);
  for (const Parameter& p : c.parameters) hash = joined(joined(hash, p.name), p.value);
  return hash;
}
/// Names and own settings are in the reports.
std::uint64_t joined(std::uint64_t hash, const Pool& pool) {
  hash = joined(joined(hash, pool.name), static_cast<std::uint64_t>(pool.role));
  hash = joined(joined(hash, static_cast<std::uint64_t>(pool.replicas)), case_hash(pool.edited));
  for (const Edit& e : pool.edits) hash = joined(joined(hash, e.path), e.value);
  return pool.calibration ? joined(hash, *pool.calibration) : hash;
}

}  // namespace

std::uint64_t common_key(const Scenario& scenario, const std::string& program) {
  std::uint64_t hash = joined(1, program);
  if (!scenario.traffic) return hash;
  hash = joined(hash, traffic_hash(*scenario.traffic));
  const ServiceLevel& level = scenario.level;
  for (const auto& limit : {level.ttft, level.tpot, level.e2el})
    hash = joined(hash, limit ? limit->count() : -1.0);
  return hash;
}

std::string point_key(std::uint64_t common, const SweepPoint& point) {
  std::uint64_t hash = joined(joined(common, case_hash(point.run.edited)), *point.calibration);
  for (const Pool& pool : point.run.pools) hash = joined(hash, pool);
  return fmt::format("{:016x}", hash);
}

}  // namespace inferometer
