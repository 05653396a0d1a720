#include "served/deployment.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "model/kv_capacity.hpp"
#include "scenarios/check_case.hpp"

namespace inferometer {
namespace {

/// The settings of a name, or why there are none.
const std::vector<Edit>* edits_of(const std::map<std::string, std::vector<Edit>>& named,
                                  const std::string& name, std::string_view what, Errors& errors) {
  const auto found = named.find(name);
  if (found != named.end()) return &found->second;
  errors.push_back({fmt::format("{} \"{}\" is not among the conventions", what, name)});
  return nullptr;
}

void make_edits(Case& c, const std::vector<Edit>* edits, std::vector<Edit>& made, Errors& errors) {
  if (edits == nullptr) return;
  for (const Edit& edit : *edits) {
    if (const Done done = set_field(c, edit); !done) take_errors(errors, done.error(), edit.where);
    made.push_back(edit);
  }
}

void divide(Case& c, const ServingPoint& point) {
  const Division division = division_of(point);
  Plan::Parallel& p = c.plan.parallel;
  p.tensor = division.tensor;
  p.pipeline = point.pipeline;
  if (c.model().moe && division.replicas > 1) {
    p.data = division.replicas;
    p.experts = true;
  } else {
    c.serving.replicas = division.replicas;
  }
  c.cluster.count = p.devices() * c.serving.replicas;
}

/// Blocks of the cache where layers with a window keep no token behind it, as engines do; what the windows
/// themselves hold is little. kv_budget() counts every token in every layer.
std::int64_t blocks_with_windows(const Case& c, const Structure& structure) {
  double all = 0, unbounded = 0;
  for (const StateSpec& state : structure.states) {
    const auto bytes = static_cast<double>(state.bytes_per_token().value);
    all += bytes;
    if (state.window == 0) unbounded += bytes;
  }
  if (unbounded == 0 || unbounded == all) return c.serving.kv_blocks;
  return static_cast<std::int64_t>(static_cast<double>(kv_budget(c, structure).blocks) * all / unbounded);
}

}  // namespace

Division division_of(const ServingPoint& p) {
  // Measured on t devices with experts divided t ways, such a row says t * t devices: some are there a second
  // time as t, with the same times.
  const bool squared = p.expert_parallel > 1 && p.expert_tensor == p.expert_parallel;
  const std::int64_t too_many = squared ? p.expert_parallel : 1;
  if (p.attention_data > 1)
    return {.tensor = p.tensor, .replicas = std::max<std::int64_t>(1, p.attention_data / too_many)};
  return {.tensor = std::max<std::int64_t>(1, p.tensor / too_many)};
}

std::string deployment_name(const ServingPoint& p) {
  const Division division = division_of(p);
  return fmt::format("{} {} {} {} tp{} pp{} dp{}", p.system, p.backend, p.model, p.products, division.tensor,
                     p.pipeline, division.replicas);
}

std::string configuration_name(const ServingPoint& p) {
  return fmt::format("{} {}/{}", deployment_name(p), p.prompt_tokens, p.output_tokens);
}

Result<Deployment> deployment_of(const ServingPoint& point, const ServingConventions& conventions,
                                 const Library& library) {
  const auto model = conventions.models.find(point.model);
  if (model == conventions.models.end())
    return failure(fmt::format("model \"{}\" is not among the conventions", point.model));
  if (!model->second.not_predicted.empty()) return failure(model->second.not_predicted);
  std::string name = point.system;
  std::replace(name.begin(), name.end(), '_', '-');
  Result<Device> device = load_device(name, library);
  if (!device) return failure(device.error());
  Result<Architecture> network = load_model(model->second.preset, library);
  if (!network) return failure(network.error());
  Case c;
  c.cluster.device = std::move(*device);
  c.models["model"] = std::move(*network);
  Errors errors;
  std::vector<Edit> made;
  make_edits(c, edits_of(conventions.products, point.products, "format", errors), made, errors);
  make_edits(c, edits_of(conventions.engines, point.backend, "engine", errors), made, errors);
  make_edits(c, &model->second.edits, made, errors);
  if (const auto with = model->second.with.find(point.backend); with != model->second.with.end())
    make_edits(c, &with->second, made, errors);
  divide(c, point);
  if (errors.empty()) errors = check_case(c, made, {});
  if (!errors.empty()) return failure(std::move(errors));
  Result<Structure> structure = compile(c.model(), c.plan);
  if (!structure) return failure(structure.error());
  c.serving.kv_blocks = blocks_with_windows(c, *structure);
  return Deployment{std::move(c), std::move(*structure)};
}

}  // namespace inferometer
