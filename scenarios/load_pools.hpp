#pragma once
#include <filesystem>

#include "model/reader.hpp"
#include "scenarios/scenario.hpp"

namespace inferometer {

/// What pools are read beside: where devices are found, and the scenario's own.
struct PoolContext {
  const Library& library;
  std::filesystem::path folder;  ///< that relative paths start from
  std::string device;            ///< of pools that name none
  bool served;                   ///< whether there is traffic
};

/// Reads `pools:` of a scenario or a variant, each
///   {name, role: both | prefill | decode, replicas, device, set: {settings of the plan and of serving}}
/// Mistakes are in the reader's list afterwards. returns  none where there is no such key
std::vector<Pool> read_pools(Reader& in, const PoolContext& context);

/// Gives each pool its Case: `base` on the pool's device, with its replicas, under its edits.
///
/// edits    of what has these pools, the scenario or a variant. Replicas that a scenario sets are not void
/// for
///          variants with pools of their own: its baseline has them
/// errors   at their places: what check_case() finds of a pool, prefill without decode or the other way
///          round, caches of different layout, an instance that has no link to send or receive a cache over,
///          edits that pools make void
[[nodiscard]] Errors settle_pools(std::vector<Pool>& pools, const Case& base, const std::vector<Edit>& edits);

}  // namespace inferometer
