#include "scenarios/load_pools.hpp"

#include <algorithm>
#include <array>

#include "model/read_name.hpp"
#include "model/setting_text.hpp"
#include "scenarios/check_case.hpp"
#include "scenarios/device_file.hpp"
#include "scenarios/setting_tree.hpp"
#include "simulator/serving/server.hpp"

namespace inferometer {
namespace {

constexpr std::int64_t most_replicas = 100'000;

/// What a pool may change: not the model, nor what is the whole server's.
SettingPaths pool_paths() {
  SettingPaths paths;
  Plan plan;
  fields(plan, [&](std::string_view path, const auto&, std::string_view) { paths.emplace_back(path); });
  Serving serving;
  serving_fields(serving, [&](std::string_view path, const auto&, std::string_view) {
    constexpr std::array whole{"serving.replicas", "serving.router", "serving.load",
                               "serving.kv_link.latency", "serving.kv_link.overlap"};
    if (std::find(whole.begin(), whole.end(), path) == whole.end()) paths.emplace_back(path);
  });
  return paths;
}

Pool read_pool(Reader in, const PoolContext& context) {
  Pool pool{.name = in.required<std::string>("name"), .where = in.where()};
  const std::string role = in.optional<std::string>("role", "both");
  pool.role = name_in<PoolRole>(in, "role", role).value_or(pool.role);
  pool.replicas = in.optional<std::int64_t>("replicas", 1);
  if (pool.replicas < 1 || pool.replicas > most_replicas)
    in.error("replicas", "must be 1 to " + std::to_string(most_replicas));
  if (const auto device = in.maybe<std::string>("device");
      device && !device->empty() && *device != context.device) {
    if (Result<DeviceFile> found = find_device(*device, context.library, context.folder); found) {
      pool.device = std::move(found->device);
      pool.calibration = std::move(found->calibration);
    } else {
      take_errors(in.errors(), found.error(), in.raw("device")->where, in.path() + ".device: ");
    }
  }
  if (const Document* set = in.raw("set"))
    pool.edits = read_settings(*set, pool_paths(), in.path() + ".set", in.errors());
  in.reject_unknown_keys();
  return pool;
}

/// Where a pool sets something, the pool otherwise.
Location place_of(const Pool& pool, std::string_view path) {
  const auto edit =
      std::find_if(pool.edits.begin(), pool.edits.end(), [&](const Edit& e) { return e.path == path; });
  return edit == pool.edits.end() ? pool.where : edit->where;
}

/// What a pool that hands caches over, or takes them, must be like. `first` is the first of these.
void check_handover(const Pool& pool, const Pool& first, Errors& errors) {
  const auto tell = [&](std::string_view path, const std::string& why) {
    errors.push_back({"pool \"" + pool.name + "\": " + std::string{path} + ": " + why, place_of(pool, path)});
  };
  const auto differs = [&](const std::string& here, const std::string& there) {
    return here + " here, " + there + " in pool \"" + first.name + "\"; a cache is sent as it is";
  };
  const Plan &a = pool.edited.plan, &b = first.edited.plan;
  if (a.kv.block_tokens != b.kv.block_tokens)
    tell("kv.block_tokens", differs(std::to_string(a.kv.block_tokens), std::to_string(b.kv.block_tokens)));
  if (const std::string here = print_setting(a.precision.kv), there = print_setting(b.precision.kv);
      here != there)
    tell("precision.kv", differs(here, there));
  if (pool.edited.serving.allocation != KvAllocation::paged)
    tell("serving.allocation", "blocks are what is sent between pools; paged is needed");
  if (a.parallel.pipeline > 1)
    tell("parallel.pipeline", std::to_string(a.parallel.pipeline) + " does not go with role: " +
                                  std::string{name(pool.role)} + ": caches are sent between whole instances");
  if (kv_link_of(pool.edited).value <= 0)
    tell("serving.kv_link.bandwidth",
         pool.edited.cluster.device.name + " has no link_bandwidth to send a cache over; say it here");
}

void check_roles(const std::vector<Pool>& pools, Errors& errors) {
  const Pool *prefill = nullptr, *decode = nullptr, *first = nullptr;
  for (const Pool& pool : pools) {
    if (pool.role == PoolRole::prefill && prefill == nullptr) prefill = &pool;
    if (pool.role == PoolRole::decode && decode == nullptr) decode = &pool;
    if (pool.role != PoolRole::both && first == nullptr) first = &pool;
  }
  if (prefill != nullptr && decode == nullptr)
    errors.push_back(
        {"pool \"" + prefill->name + "\": role: prefill needs a pool of role decode that takes its caches",
         prefill->where});
  if (decode != nullptr && prefill == nullptr)
    errors.push_back(
        {"pool \"" + decode->name + "\": role: decode needs a pool of role prefill that computes its prompts",
         decode->where});
  for (const Pool& pool : pools) {
    if (pool.role != PoolRole::both) check_handover(pool, *first, errors);
  }
}

}  // namespace

std::vector<Pool> read_pools(Reader& in, const PoolContext& context) {
  std::vector<Pool> pools;
  const Document* list = in.raw("pools");
  if (list == nullptr) return pools;
  if (!context.served) in.error("pools", "serve traffic:; there is none");
  if (list->kind != Document::Kind::sequence || list->sequence.empty()) {
    in.error("pools", "a list of {name, role, replicas, device, set} is needed");
    return pools;
  }
  const std::string path = (in.path().empty() ? "" : in.path() + ".") + "pools[";
  for (std::size_t i = 0; i < list->sequence.size(); ++i) {
    Reader one(list->sequence[i], path + std::to_string(i) + "]", in.errors());
    Pool pool = read_pool(one, context);
    const bool known = std::any_of(pools.begin(), pools.end(),
                                   [&](const Pool& p) { return !p.name.empty() && p.name == pool.name; });
    if (known) one.error("name", "\"" + pool.name + "\" is the name of a pool before it already");
    pools.push_back(std::move(pool));
  }
  return pools;
}

Errors settle_pools(std::vector<Pool>& pools, const Case& base, const std::vector<Edit>& edits) {
  Errors errors;
  for (const Edit& edit : edits) {
    if (!pools.empty() && edit.path == "serving.replicas")
      errors.push_back({"serving.replicas: pools: have replicas of their own", edit.where});
  }
  for (Pool& pool : pools) {
    const std::size_t before = errors.size();
    pool.edited = base;
    if (pool.device) pool.edited.cluster.device = *pool.device;
    pool.edited.serving.replicas = pool.replicas;
    for (const Edit& edit : pool.edits) {
      if (auto done = set_field(pool.edited, edit); !done)
        take_errors(errors, {{"pool \"" + pool.name + "\": " + done.error().front().message, edit.where}},
                    edit.where);
    }
    if (errors.size() != before) continue;
    for (Error& e : check_case(pool.edited, pool.edits, pool.where)) {
      e.message = "pool \"" + pool.name + "\": " + e.message;
      errors.push_back(std::move(e));
    }
  }
  if (errors.empty()) check_roles(pools, errors);
  return errors;
}

}  // namespace inferometer
