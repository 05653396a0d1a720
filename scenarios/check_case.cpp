#include "scenarios/check_case.hpp"

#include <fmt/format.h>

#include "roofline/support.hpp"
#include "simulator/serving/server.hpp"

namespace inferometer {
namespace {

/// FLOPs of the largest step, in floating point: an estimate that cannot overflow.
double largest_step(const Case& c) {
  const Architecture& a = c.model();
  const auto real = [](std::int64_t v) { return static_cast<double>(v); };
  const double tokens = real(c.workload.batch) * real(c.workload.prompt_tokens);
  const double context = real(c.workload.prompt_tokens) + real(c.workload.output_tokens);
  const double width = real(a.heads) * real(a.head_dim), hidden = real(a.hidden);
  double inner = real(a.intermediate);
  if (a.moe) inner += real(a.moe->top_k) * real(a.moe->intermediate) + real(a.moe->shared_intermediate);
  const double layer = 2 * tokens * hidden * (4 * width + 3 * inner) + 4 * tokens * context * width;
  return real(a.layers) * layer + 2 * real(c.workload.batch) * hidden * real(a.vocab);
}

Errors check_sizes(const Case& c) {
  Errors errors;
  const auto in_range = [&](std::string_view what, std::int64_t value, std::int64_t most) {
    if (value < 1 || value > most)
      errors.push_back({fmt::format("{}: must be 1 to {}, is {}", what, most, value)});
  };
  in_range("workload.batch", c.workload.batch, 100'000);
  in_range("workload.prompt_tokens", c.workload.prompt_tokens, 10'000'000);
  in_range("workload.output_tokens", c.workload.output_tokens, 1'000'000);
  if (const Bytes copied = c.workload.copy_beside.bytes; copied > most_copied)
    errors.push_back(
        {fmt::format("workload.copy_beside.bytes: must be 0 B to 1 TiB, is {} B", copied.value)});
  in_range("architecture.layers", c.model().layers, 10'000);
  for (const std::int64_t bucket : c.plan.launch.batch_buckets)
    in_range("launch.batch_buckets", bucket, 100'000);
  // Work is counted in 64 bits. A device of today takes hours for that much.
  constexpr double most = 4e18;
  if (const double work = largest_step(c); errors.empty() && work > most)
    errors.push_back(
        {fmt::format("one step is about {:.1e} FLOP; at most {:.0e} can be counted", work, most)});
  return errors;
}

/// A rule for layers that the model does not have says nothing; it was meant for another model.
Errors check_rules(const Case& c) {
  Errors errors;
  const auto check = [&](std::string_view path, const auto& setting) {
    for (const auto& rule : setting.rules) {
      if (rule.last >= c.model().layers)
        errors.push_back({fmt::format("{}: a rule names layer {}; the model's last one is {}", path,
                                      rule.last, c.model().layers - 1)});
    }
  };
  fields(c.plan, [&](std::string_view path, const auto& setting, std::string_view) {
    if constexpr (requires { setting.rules; }) check(path, setting);
  });
  return errors;
}

Errors check_network(const Case& c) {
  const Result<Structure> structure = compile(c.model(), c.plan);
  Errors errors = structure ? unsupported(*structure, c.cluster.device) : structure.error();
  if (const std::int64_t needed = c.plan.parallel.devices(); needed > c.cluster.count) {
    const Plan::Parallel& p = c.plan.parallel;
    errors.push_back({fmt::format("{}: needs {} devices, of which there are {}; set devices: {}",
                                  p.pipeline > 1 ? "parallel.pipeline"
                                  : p.data > 1   ? "parallel.data"
                                                 : "parallel.tensor",
                                  needed, c.cluster.count, needed)});
  }
  return errors;
}

Errors check_copy(const Case& c) {
  const CopyBeside& copy = c.workload.copy_beside;
  const Device& device = c.cluster.device;
  if (copy && c.plan.parallel.pipeline > 1)
    return {{"workload.copy_beside.bytes: a copy beside the stages of a pipeline is not predicted"}};
  if (!copy || copy.within_device() || device.host_link_bandwidth) return {};
  return {{fmt::format("workload.copy_beside.direction: {} has no host_link_bandwidth; within_device is left",
                       device.name)}};
}

}  // namespace

Errors check_case(const Case& c, const std::vector<Edit>& edits, const Location& where) {
  Errors errors = check_sizes(c);
  for (Error& e : check_rules(c)) errors.push_back(std::move(e));
  for (Error& e : check_copy(c)) errors.push_back(std::move(e));
  for (Error& e : check_serving(c)) errors.push_back(std::move(e));
  if (errors.empty()) errors = check_network(c);
  for (Error& e : errors) {
    e.where = where;
    for (const Edit& edit : edits) {
      if (e.message.starts_with(edit.path + ":")) e.where = edit.where;
    }
  }
  return errors;
}

void take_errors(Errors& errors, Errors more, const Location& where, const std::string& prefix) {
  for (Error& e : more) {
    if (e.where.line == 0 && e.where.file.empty()) {
      e.where = where;
      e.message = prefix + e.message;
    }
    errors.push_back(std::move(e));
  }
}

}  // namespace inferometer
