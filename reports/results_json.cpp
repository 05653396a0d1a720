#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "model/settings.hpp"
#include "reports/conditions.hpp"
#include "reports/energy_tables.hpp"
#include "reports/explanation.hpp"
#include "reports/or_null.hpp"
#include "reports/reports.hpp"
#include "reports/serving_tables.hpp"
#include "reports/statistics.hpp"
#include "reports/tracing.hpp"

namespace inferometer {
namespace {

using Json = nlohmann::ordered_json;

/// Raised when a reader of an older file would misread a newer one.
constexpr int schema_version = 1;

double seconds(Nanoseconds t) { return std::chrono::duration<double>(t).count(); }

Json json_of(const Explanation& e) {
  Json json;
  for (const ExplanationPart& part : explanation_parts)
    json[std::string{part.key} + "_s"] = seconds(e.*part.value);
  return json;
}

Json json_of(const MemoryUse& m) {
  return {{"weights_bytes", m.weights.value},
          {"kv_bytes", m.kv.value},
          {"activation_bytes", m.activations.value},
          {"workspace_bytes", m.workspace.value},
          {"total_bytes", m.total().value},
          {"capacity_bytes", m.capacity.value},
          {"fits", m.fits()}};
}

Json json_of(const RoleTime& r) {
  return {{"operator", r.role},
          {"count", r.count},
          {"bound", name(r.bound)},
          {"flops", r.flops.value},
          {"bytes", r.bytes.value},
          {"predicted_s", seconds(r.predicted)},
          {"measured_s", or_null(r.measured)},
          {"explanation", json_of(r.explanation)}};
}

Json json_of(const Difference& d) {
  return {{"operator", d.role},
          {"predicted_s", seconds(d.predicted)},
          {"measured_s", or_null(d.measured)},
          {"explanation", json_of(d.explanation)}};
}

Json samples_of(const std::optional<Samples>& s) {
  if (!s) return nullptr;
  return {
      {"n", s->n}, {"median_s", seconds(s->median)}, {"p10_s", seconds(s->p10)}, {"p90_s", seconds(s->p90)}};
}

Json conditions_json(const PhaseResult& phase) {
  if (!phase.conditions) return nullptr;
  const RunConditions& c = *phase.conditions;
  const auto energy = step_energy(phase);
  Json reasons = c.throttles ? Json::array() : Json(nullptr);
  for (const Throttle reason : c.throttles.value_or(std::vector<Throttle>{})) reasons.push_back(name(reason));
  return {{"samples", c.samples},
          {"power_mean_w", or_null(c.mean_power)},
          {"power_max_w", or_null(c.most_power)},
          {"power_limit_w", or_null(c.power_limit)},
          {"energy_per_step_j", energy ? Json(energy->step) : Json(nullptr)},
          {"energy_per_token_j", energy ? Json(energy->token) : Json(nullptr)},
          {"sm_clock_mean_hz", or_null(c.mean_sm_clock)},
          {"sm_clock_min_hz", or_null(c.least_sm_clock)},
          {"sm_clock_top_hz", or_null(c.top_sm_clock)},
          {"memory_clock_mean_hz", or_null(c.mean_memory_clock)},
          {"temperature_max_celsius", or_null(c.most_temperature)},
          {"throttled", std::move(reasons)},
          {"throttled_samples", c.throttled_samples},
          {"not_available", c.not_available.empty() ? Json(nullptr) : Json(c.not_available)}};
}

Json energy_json(const PhaseCost& c) {
  return {{"energy_per_step_j", or_null(c.step)},
          {"energy_per_token_j", or_null(c.token)},
          {"mean_power_w", or_null(c.power)},
          {"cost_per_million_tokens_usd", or_null(c.per_million_tokens)},
          {"measured_cost_per_million_tokens_usd", or_null(c.measured_per_million_tokens)},
          {"not_known", c.not_known.empty() ? Json(nullptr) : Json(c.not_known)}};
}

Json tracing_json(const std::optional<Tracing>& t) {
  if (!t) return nullptr;
  const KernelPairs all = t->all();
  return {{"traced_s", seconds(t->traced)},
          {"traced_over_untraced", t->ratio()},
          {"kernels", t->kernels},
          {"overhead_per_kernel_s", t->per_kernel().count()},
          {"pairs_that_may_overlap", all.count},
          {"of_those_apart", all.apart}};
}

Json json_of(const std::optional<BesideTimes>& t) {
  if (!t) return nullptr;
  return {{"step_alone_s", seconds(t->step_alone)},
          {"copy_alone_s", seconds(t->copy_alone)},
          {"step_s", seconds(t->step)},
          {"copy_s", seconds(t->copy)},
          {"both_s", seconds(t->both)},
          {"stretch", t->stretch()},
          {"overlap", t->overlap()}};
}

/// That of the step which stands for the phase, relative to it.
Json interval_json(const PhaseResult& phase) {
  const std::optional<Interval>& interval = phase.prediction.interval;
  if (!interval) return nullptr;
  const double scale = phase.predicted.count() / seconds(phase.prediction.timeline.end);
  return {scale * seconds(interval->low), scale * seconds(interval->high)};
}

Json phase_json(const VariantResult& v, const PhaseResult& phase, const StepExplanation* baseline) {
  const StepExplanation step = explain(v.structure, phase);
  Json json{
      {"phase", phase.name},
      {"steps", phase.steps},
      {"tokens_per_step", phase.features.tokens},
      {"sequences", phase.features.sequences},
      {"predicted_s", phase.predicted.count()},
      {"interval_s", interval_json(phase)},
      {"interval_basis", phase.prediction.interval ? "90 %, from kernels left out of the calibration's fits"
                                                   : "none: no validation evidence for this device"},
      {"predicted_clock", or_null(phase.prediction.clock)},
      {"measured", samples_of(phase.measured)},
      {"conditions", conditions_json(phase)},
      {"energy", energy_json(cost_of(v, phase))},
      {"tracing", tracing_json(tracing_of(v, phase))},
      {"copy_beside",
       {{"predicted", json_of(phase.beside_predicted)}, {"measured", json_of(phase.beside_measured)}}},
      {"step", json_of(step.total)},
      {"operators", Json::array()}};
  for (const RoleTime& r : step.roles) json["operators"].push_back(json_of(r));
  if (baseline == nullptr) return json;
  const StepDifference difference = subtract(step, *baseline);
  Json roles = Json::array();
  for (const Difference& d : difference.roles) roles.push_back(json_of(d));
  json["against_baseline"] = {{"step", json_of(difference.total)}, {"operators", std::move(roles)}};
  return json;
}

Json settings_json(const Case& c) {
  Json json = Json::object();
  for (const Setting& s : settings(c)) json[s.path] = s.value;
  return json;
}

/// What each pool runs, where a variant has any.
Json pool_settings_json(const std::vector<Pool>& pools) {
  Json json = Json::array();
  for (const Pool& p : pools)
    json.push_back({{"name", p.name},
                    {"role", name(p.role)},
                    {"device", p.edited.cluster.device.name},
                    {"replicas", p.replicas},
                    {"settings", settings_json(p.edited)},
                    {"settings_hash", fmt::format("{:016x}", settings_hash(p.edited))}});
  return json;
}

Json variant_json(const VariantResult& v, const std::vector<StepExplanation>& baseline) {
  Json json{
      {"name", v.name},
      {"optimizations", v.optimizations},
      {"settings", settings_json(v.settings)},
      {"settings_hash", fmt::format("{:016x}", settings_hash(v.settings))},
      {"memory",
       {{"predicted", json_of(v.memory)}, {"used", v.memory_used ? json_of(*v.memory_used) : Json(nullptr)}}},
      {"not_measured", v.not_measured.empty() ? Json(nullptr) : Json(v.not_measured)},
      {"phases", Json::array()}};
  if (!v.pools.empty()) json["pools"] = pool_settings_json(v.pools);
  if (!v.not_served.empty()) json["not_served"] = v.not_served;
  if (v.serving) {
    json["traffic"] = v.serving->traffic->source;
    json["client_delay_ms"] = 1e3 * v.serving->traffic->client_delay.count();
    json["predicted"] = served_json(v.serving->predicted);
    json["predicted_as_found"] =
        v.serving->as_found ? served_json(v.serving->as_found->predicted) : Json(nullptr);
    json["memory_as_found"] = nullptr;
    if (v.serving->as_found)
      json["memory_as_found"] = {
          {"read_gb_per_s", 1e-9 * v.serving->as_found->memory.rate.value},
          {"looks", v.serving->as_found->memory.looks},
          {"predicted_at_gb_per_s", 1e-9 * v.settings.cluster.device.memory_bandwidth.value.value}};
    json["executed"] = v.serving->executed ? served_json(*v.serving->executed) : Json(nullptr);
    json["executed_durations"] = v.serving->executed ? Json(executed_by(*v.serving)) : Json(nullptr);
    json["executed_steps"] = executed_steps_json(*v.serving);
  }
  for (std::size_t p = 0; p < v.phases.size(); ++p)
    json["phases"].push_back(phase_json(v, v.phases[p], p < baseline.size() ? &baseline[p] : nullptr));
  return json;
}

Json quality_json(const Quality& q) {
  Json steps = Json::array(), effects = Json::array();
  for (const StepError& s : q.steps)
    steps.push_back({{"variant", s.variant}, {"phase", s.phase}, {"predicted_over_measured", s.ratio}});
  for (const Effect& e : q.effects) {
    effects.push_back({{"variant", e.variant},
                       {"phase", e.phase},
                       {"predicted_tokens_per_second_over_baseline", e.predicted},
                       {"measured_tokens_per_second_over_baseline", or_null(e.measured)}});
  }
  return {{"median_relative_error", or_null(q.median_error)},
          {"p90_relative_error", or_null(q.p90_error)},
          {"effects_beyond_10_percent", q.effects_that_count},
          {"of_these_in_the_measured_direction", q.same_direction},
          {"steps", std::move(steps)},
          {"effects", std::move(effects)}};
}

Json provenance_json(const Provenance& p) {
  Json json{{"version", p.version},         {"revision", p.revision},
            {"machine", p.machine},         {"operating_system", p.operating_system},
            {"compiler", p.compiler},       {"date", p.date},
            {"backend", p.backend},         {"device", p.device},
            {"calibration", p.calibration}, {"tuning", p.tuning},
            {"level", name(p.level)}};
  for (const auto& [key, value] : p.more) json[key] = value;
  return json;
}

}  // namespace

std::string results_json(const StudyResult& study) {
  const Scenario& s = study.scenario;
  Json parameters = Json::array();
  for (const Parameter& p : s.calibration.parameters)
    parameters.push_back({{"name", p.name}, {"value", p.value}, {"unit", p.unit}});
  Json json{
      {"schema_version", schema_version},
      {"scenario", {{"name", s.name}, {"description", s.description}, {"file", s.file.filename().string()}}},
      {"slo", s.level.limits() ? level_json(s.level) : Json(nullptr)},
      {"model", s.baseline.model().name},
      {"provenance", provenance_json(study.provenance)},
      {"calibration_parameters", std::move(parameters)},
      {"quality", quality_json(quality_of(study))},
      {"variants", Json::array()}};
  if (s.traffic) json["traffic_bad_rows"] = s.traffic->bad_rows;
  std::vector<StepExplanation> baseline;
  for (const VariantResult& v : study.variants) {
    json["variants"].push_back(variant_json(v, baseline));
    if (baseline.empty()) {
      for (const PhaseResult& phase : v.phases) baseline.push_back(explain(v.structure, phase));
    }
  }
  return json.dump(2) + "\n";
}

std::string point_json(const VariantResult& v) {
  Json json = variant_json(v, {});
  json.erase("name");
  json.erase("optimizations");
  if (v.serving) json["predicted"].erase("wall_s");
  return json.dump();
}

}  // namespace inferometer
