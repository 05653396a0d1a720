#include "cli/catalogue.hpp"

#include <fmt/format.h>

#include "model/optimizations.hpp"
#include "model/settings.hpp"
#include "roofline/kernels/kernel_call.hpp"
#include "roofline/parameters.hpp"
#include "scenarios/device_file.hpp"
#include "simulator/serving/policies.hpp"
#include "simulator/serving/routers.hpp"

namespace inferometer {
namespace {

using Details = std::vector<std::pair<std::string, std::string>>;

Result<Catalogue> models(const Context& context) {
  Catalogue all{"model", {}};
  for (const std::string& name : list_models(context.library)) {
    const Result<Architecture> a = load_model(name, context.library);
    if (!a) return failure(a.error());
    const double parameters = static_cast<double>(parameter_count(*a));
    const Bytes kv = kv_bytes_per_token(*a, DType::bf16);
    Details details{{"family", a->family},
                    {"parameters", std::to_string(parameter_count(*a))},
                    {"layers", std::to_string(a->layers)},
                    {"hidden", std::to_string(a->hidden)},
                    {"query heads", std::to_string(a->heads)},
                    {"key and value heads", std::to_string(a->kv_heads)},
                    {"head size", std::to_string(a->head_dim)},
                    {"vocabulary", std::to_string(a->vocab)},
                    {"longest context [tokens]", std::to_string(a->max_positions)},
                    {"KV cache in bf16 [B/token]", std::to_string(kv.value)}};
    if (a->moe) {
      details.push_back({"experts", std::to_string(a->moe->experts)});
      details.push_back({"experts per token", std::to_string(a->moe->top_k)});
    }
    all.entries.push_back({name,
                           fmt::format("{:<22} {:>8.2f} G parameters, {:>3} layers, {:>7} B of KV per token",
                                       a->family, parameters * 1e-9, a->layers, kv.value),
                           std::move(details)});
  }
  return all;
}

Result<Catalogue> devices(const Context& context) {
  Catalogue all{"device", {}};
  for (const std::string& name : list_devices(context.library)) {
    const Result<DeviceFile> file = find_device(name, context.library);
    if (!file && name == "host") {
      all.entries.push_back({name, "this machine; not measured yet (inferometer calibrate)", {}});
      continue;
    }
    if (!file) return failure(file.error());
    const Device& d = file->device;
    const auto sourced = [](const std::string& value, const std::string& source) {
      return value + "  (" + source + ")";
    };
    Details details{
        {"description", d.description},
        {"memory [GiB]",
         sourced(fmt::format("{:.1f}", static_cast<double>(d.memory_capacity.value.value) / (1 << 30)),
                 d.memory_capacity.source)},
        {"memory bandwidth [GB/s]",
         sourced(fmt::format("{:.1f}", d.memory_bandwidth.value.value * 1e-9), d.memory_bandwidth.source)},
        {"cache [MiB]",
         sourced(fmt::format("{:.0f}", static_cast<double>(d.cache_capacity.value.value) / (1 << 20)),
                 d.cache_capacity.source)},
        {"cache bandwidth [GB/s]",
         sourced(fmt::format("{:.0f}", d.cache_bandwidth.value.value * 1e-9), d.cache_bandwidth.source)},
        {"processors", sourced(std::to_string(d.processors.value), d.processors.source)},
        {"vector f32 [GFLOP/s]",
         sourced(fmt::format("{:.1f}", d.vector.value.value * 1e-9), d.vector.source)},
        {"launch [us]", sourced(fmt::format("{:.2f}", d.launch.value.count() * 1e6), d.launch.source)},
        {"host dispatch [us]",
         sourced(fmt::format("{:.2f}", d.host_dispatch.value.count() * 1e6), d.host_dispatch.source)}};
    if (d.cache_retention)
      details.push_back({"cache retention [1]", sourced(fmt::format("{:.2f}", d.cache_retention->value),
                                                        d.cache_retention->source)});
    for (const auto& [dtype, rate] : d.matrix)
      details.push_back({fmt::format("matrix {} [TFLOP/s]", inferometer::name(dtype)),
                         sourced(fmt::format("{:.3f}", rate.value.value * 1e-12), rate.source)});
    for (const Parameter& p : file->calibration.parameters)
      details.push_back({"calibrated " + p.name, fmt::format("{:.4g} {}", p.value, p.unit)});
    all.entries.push_back({name,
                           fmt::format("{:>7.1f} GiB, {:>7.1f} GB/s, {}",
                                       static_cast<double>(d.memory_capacity.value.value) / (1 << 30),
                                       d.memory_bandwidth.value.value * 1e-9, d.description),
                           std::move(details)});
  }
  return all;
}

template <class Operator>
Entry operator_entry() {
  const auto list = [](const std::vector<Operand>& operands) {
    std::string text;
    for (const Operand& o : operands) text += (text.empty() ? "" : ", ") + std::string{o.name};
    return text;
  };
  const Operands all = Operator::example().operands();
  const std::string formula{Operator::flops_formula};
  return {std::string{Operator::name},
          fmt::format("{} -> {}; FLOPs: {}", list(all.reads), list(all.writes), formula),
          {{"reads", list(all.reads)},
           {"writes", list(all.writes)},
           {"FLOPs", formula},
           {"bytes", "each operand once (compulsory traffic)"}}};
}
template <class... Operators>
Catalogue operators_of(const std::variant<Operators...>*) {
  return {"operator", {operator_entry<Operators>()...}};
}

Catalogue optimization_catalogue() {
  Catalogue all{"optimization", {}};
  for (const Optimization& o : optimizations()) {
    all.entries.push_back({std::string{o.name},
                           std::string{o.summary},
                           {{"what", std::string{o.summary}},
                            {"when it helps", std::string{o.helps}},
                            {"survey", std::string{o.survey}}}});
  }
  return all;
}

Result<Catalogue> setting_catalogue(const Context& context) {
  const Result<Architecture> model = load_model("llama-3.1-8b", context.library);
  if (!model) return failure(model.error());
  Case c;
  c.models["model"] = *model;
  Catalogue all{"setting", {}};
  for (const Setting& s : settings(c)) {
    const std::string value = s.path.starts_with("architecture.") ? "the model's" : s.value;
    all.entries.push_back({s.path, s.doc, {{"what", s.doc}, {"default", value}}});
  }
  return all;
}

Catalogue parameter_catalogue() {
  Catalogue all{"parameter", {}};
  for (const ParameterInfo& p : parameter_infos) {
    const std::string generic = p.generic < 0 ? "none" : fmt::format("{:g}", p.generic);
    all.entries.push_back(
        {std::string{p.name},
         std::string{p.doc},
         {{"what", std::string{p.doc}},
          {"unit", std::string{p.unit}},
          {"range", fmt::format("{:g} to {:g}", p.low, p.high)},
          {"assumed without a calibration", generic + "  (" + std::string{p.source} + ")"}}});
  }
  return all;
}

Catalogue policy_catalogue() {
  Catalogue all{"policy", {}};
  for (const Policy& p : policies()) {
    all.entries.push_back(
        {std::string{name(p.policy)},
         std::string{p.summary},
         {{"what", std::string{p.summary}}, {"when it helps, and when not", std::string{p.helps}}}});
  }
  return all;
}

Catalogue router_catalogue() {
  Catalogue all{"router", {}};
  for (const RouterRule& r : router_rules())
    all.entries.push_back(
        {std::string{name(r.router)}, std::string{r.summary}, {{"what", std::string{r.summary}}}});
  return all;
}

/// Kernel models, with their parameters.
template <class... Calls>
Catalogue kernel_catalogue(const std::variant<Calls...>*) {
  Catalogue all{"kernel", {}};
  const auto add = [&](const KernelCall& call) {
    Entry entry{std::string{operator_of(call)}, "", {}};
    for (const Entry& e : all.entries) {
      if (e.name == entry.name) entry.name += " " + variant_of(call);
    }
    for (const KernelParameter& p : parameters_of(call)) {
      const std::string unit = p.unit == "1" ? "" : " " + std::string{p.unit};
      entry.details.emplace_back(std::string{p.name},
                                 fmt::format("{:g}{} where nobody measured, {:g} to {:g}{}: {}", p.generic,
                                             unit, p.low, p.high, unit, p.doc));
    }
    entry.summary = fmt::format("{} parameters", entry.details.size());
    all.entries.push_back(std::move(entry));
  };
  (add(KernelCall{Calls{}}), ...);
  add(QuantizeKernel{.op = QuantizeOp::compute_scale});
  return all;
}

}  // namespace

std::vector<std::string> catalogue_names() {
  return {"models",   "devices", "operators", "optimizations", "settings",
          "policies", "routers", "kernels",   "parameters"};
}

Result<Catalogue> catalogue(const Context& context, const std::string& name) {
  if (name == "models") return models(context);
  if (name == "devices") return devices(context);
  if (name == "operators") return operators_of(static_cast<const AnyOperator*>(nullptr));
  if (name == "optimizations") return optimization_catalogue();
  if (name == "settings") return setting_catalogue(context);
  if (name == "policies") return policy_catalogue();
  if (name == "routers") return router_catalogue();
  if (name == "kernels") return kernel_catalogue(static_cast<const KernelCall*>(nullptr));
  require(name == "parameters", "a catalogue's name");
  return parameter_catalogue();
}

}  // namespace inferometer
