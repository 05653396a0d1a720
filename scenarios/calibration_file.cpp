#include "scenarios/calibration_file.hpp"

#include <fmt/format.h>

#include <cmath>

#include "model/reader.hpp"
#include "roofline/copy.hpp"
#include "roofline/kernels/call_named.hpp"
#include "roofline/parameters.hpp"
#include "roofline/steps/step_models.hpp"
#include "scenarios/files.hpp"
#include "scenarios/read_parameters.hpp"
#include "scenarios/yaml_document.hpp"

namespace inferometer {
namespace {

/// Calls `read` with a Reader of each entry of a list of mappings.
template <class Read>
void each_of(Reader& in, std::string_view key, const Read& read) {
  if (!in.has(key)) return in.error(key, "a list is needed");
  const Document* list = in.raw(key);
  if (list->kind != Document::Kind::sequence) return in.error(key, "a list is needed");
  for (std::size_t i = 0; i < list->sequence.size(); ++i)
    read(Reader(list->sequence[i], fmt::format("{}[{}]", key, i), in.errors()));
}

double read_positive(Reader& in, std::string_view key) {
  const std::size_t before = in.errors().size();
  const double value = in.required<double>(key);
  if (in.errors().size() == before && !(value > 0 && std::isfinite(value))) in.error(key, "must be positive");
  return value;
}

std::size_t read_count(Reader& in, std::string_view key) {
  const std::size_t before = in.errors().size();
  const auto value = in.required<std::int64_t>(key);
  if (in.errors().size() == before && value < 1) in.error(key, "must be 1 or more");
  return static_cast<std::size_t>(value);
}

std::vector<double> read_values(Reader in, std::span<const KernelParameter> parameters) {
  std::vector<double> values;
  for (const KernelParameter& p : parameters) {
    const std::size_t before = in.errors().size();
    Reader one = in.required_mapping(p.name);
    values.push_back(one.required<double>("value"));
    const std::string unit = one.required<std::string>("unit");
    one.reject_unknown_keys();
    if (in.errors().size() != before) continue;
    if (unit != p.unit) one.error("unit", fmt::format("\"{}\" is not \"{}\"", unit, p.unit));
    // Nine digits are written: a value at its limit may lie beyond it by as little.
    const double slack = 1e-8 * std::abs(p.high);
    if (!(values.back() >= p.low - slack && values.back() <= p.high + slack))
      one.error("value", fmt::format("must be {:g} to {:g}, is {:g}", p.low, p.high, values.back()));
  }
  in.reject_unknown_keys();
  return values;
}

LevelFit read_level(Reader in) {
  LevelFit fit{.intervals = {},
               .median_error = in.required<double>("median_error_percent") / 100,
               .p90_error = in.required<double>("p90_error_percent") / 100};
  Reader regimes = in.required_mapping("interval");
  for (const auto& [regime, spelling] : Names<Regime>::list) {
    const std::size_t before = in.errors().size();
    const auto factors = regimes.list<double>(spelling);
    if (in.errors().size() != before) continue;
    if (!factors || factors->size() != 2 || !((*factors)[0] > 0 && (*factors)[0] <= (*factors)[1])) {
      regimes.error(spelling, "two positive factors are needed, the smaller one first");
      continue;
    }
    fit.intervals[static_cast<std::size_t>(regime)] = {std::log((*factors)[0]), std::log((*factors)[1])};
  }
  regimes.reject_unknown_keys();
  in.reject_unknown_keys();
  return fit;
}

std::vector<float> read_floats(const Document& list, std::size_t size, Errors& errors) {
  std::vector<float> values;
  if (list.kind != Document::Kind::sequence || list.sequence.size() != size) {
    errors.push_back({fmt::format("a list of {} numbers is needed", size), list.where});
    return std::vector<float>(size, 1.0F);
  }
  for (const Document& item : list.sequence) {
    const Result<double> value = parse_value<double>(item);
    if (!value) errors.push_back({value.error().front().message, item.where});
    values.push_back(value ? static_cast<float>(*value) : 1.0F);
  }
  return values;
}

ResidualLayer read_layer(Reader in, std::size_t features) {
  const Document* points = in.raw("points");
  if (points == nullptr || points->kind != Document::Kind::sequence) {
    in.error("points", "a list is needed; an empty one where the layer is off");
    return {};
  }
  const std::size_t before = in.errors().size();
  ResidualLayer::Kept kept;
  if (!points->sequence.empty()) {
    kept.noise = static_cast<float>(read_positive(in, "noise"));
    const auto lengths_of = [&](std::string_view key) -> std::vector<float> {
      if (const Document* lengths = in.raw(key)) return read_floats(*lengths, features, in.errors());
      in.error(key, "a list is needed");
      return {};
    };
    kept.lengths = lengths_of("lengths");
    for (const float length : kept.lengths) {
      if (!(length > 0)) in.error("lengths", "must be positive");
    }
    kept.alone = lengths_of("alone");
    for (const float length : kept.alone) {
      if (!(length >= 0)) in.error("alone", "must not be negative");
    }
  }
  for (const Document& point : points->sequence) {
    kept.points.push_back(read_floats(point, features + 1, in.errors()));
    kept.log_ratios.push_back(kept.points.back().back());
    kept.points.back().pop_back();
  }
  in.reject_unknown_keys();
  const bool usable = in.errors().size() == before && !kept.points.empty();
  return usable ? ResidualLayer(std::move(kept)) : ResidualLayer{};
}

/// Of a unit at its full rate, as part of what a limit of power leaves above idle.
double read_demand(Reader& in, std::string_view unit) {
  const auto value = in.required<double>(unit);
  if (!(value >= 0 && value <= 100)) in.error(unit, fmt::format("must be 0 to 100, is {}", value));
  return value;
}

void read_model(Reader in, KernelCalibration& calibration) {
  const auto op = in.required<std::string>("operator"), variant = in.required<std::string>("variant");
  const std::optional<KernelCall> call = call_named(op, variant);
  if (!call) return in.error("operator", fmt::format("no kernel is called {} {}", op, variant));
  FittedModel model;
  model.rows = read_count(in, "rows");
  model.values = read_values(in.required_mapping("parameters"), parameters_of(*call));
  model.calibrated = read_level(in.required_mapping("calibrated"));
  model.corrected = read_level(in.required_mapping("residual_corrected"));
  model.residual = read_layer(in.required_mapping("residual_layer"), features_of(*call).size());
  in.reject_unknown_keys();
  if (!calibration.models.emplace(OperatorAndVariant{op, variant}, std::move(model)).second)
    in.error("operator", fmt::format("{} {} is there twice", op, variant));
}

}  // namespace

Result<Calibration> load_calibration(const std::filesystem::path& file, const Device& device) {
  const Result<std::string> text = read_file(file);
  if (!text) return failure(text.error());
  Result<KernelCalibration> read = read_calibration(*text, file);
  if (!read) return failure(read.error());
  if (read->device != device.name)
    return failure(fmt::format("is of {}, what is predicted is {}", read->device, device.name),
                   {file.string(), 1, 1});
  std::vector<Parameter> parameters;
  for (const auto& [key, value] : read->parameters) {
    const ParameterInfo& info = parameter_info(key);
    parameters.push_back({key, value, std::string{info.unit}, std::string{info.doc}});
  }
  return Calibration{.level = Level::residual_corrected,
                     .device = read->device,
                     .source = fmt::format("{} (hash {})", file.string(), content_hash(*text)),
                     .date = read->date,
                     .machine = {},
                     .parameters = std::move(parameters),
                     .kernels = std::make_shared<StepModels>(std::move(read->models), std::move(read->gaps),
                                                             read->power_limit)};
}

Result<KernelCalibration> read_calibration(const std::string& text, const std::filesystem::path& file) {
  const Result<Document> document = parse_yaml(text, file.string());
  if (!document) return failure(document.error());
  Errors errors;
  Reader in(*document, "", errors);
  const std::size_t before = errors.size();
  const auto format = in.required<std::int64_t>("format");
  if (errors.size() == before && format != calibration_format)
    return failure(fmt::format("format: is {}, only {} is read: calibrate anew", format, calibration_format),
                   in.raw("format")->where);
  const auto stated = in.required<std::string>("hash");
  const std::string is = content_hash(std::string_view{text}.substr(hashed_from(text)));
  if (in.has("hash") && stated != is)
    in.error("hash", fmt::format("the text below it was changed: its hash is {}", is));
  KernelCalibration calibration{.device = in.required<std::string>("device"),
                                .date = in.required<std::string>("date"),
                                .sources = {},
                                .facts = {},
                                .gaps = {},
                                .power_limit = {},
                                .parameters = {},
                                .models = {}};
  each_of(in, "sources", [&](Reader source) {
    calibration.sources.push_back({source.required<std::string>("file"), source.required<std::string>("hash"),
                                   read_count(source, "rows")});
    source.reject_unknown_keys();
  });
  if (auto facts = in.maybe_mapping("facts")) {
    for (const std::string& key : facts->keys()) calibration.facts[key] = facts->required<std::string>(key);
  }
  if (auto gaps = in.maybe_mapping("gaps")) {
    for (const auto& [mode, spelling] : Names<LaunchMode>::list) {
      if (auto of = gaps->maybe_mapping(spelling)) {
        calibration.gaps[mode] = {of->required<Seconds>("between"), of->required<Seconds>("at_library"),
                                  of->maybe<Seconds>("dispatch")};
        if (recorded(mode) && calibration.gaps[mode].dispatch)
          of->error("dispatch", "the host launches no kernel of a recorded graph");
        of->reject_unknown_keys();
      }
    }
    gaps->reject_unknown_keys();
  }
  if (auto limit = in.maybe_mapping("power_limit")) {
    calibration.power_limit = {read_demand(*limit, "memory"), read_demand(*limit, "compute")};
    limit->reject_unknown_keys();
  }
  if (auto parameters = in.maybe_mapping("parameters")) {
    for (const Parameter& p : read_parameters(*parameters)) {
      if (std::find(copy_parameters.begin(), copy_parameters.end(), p.name) == copy_parameters.end())
        parameters->error(p.name, "is not of copies");
      calibration.parameters[p.name] = p.value;
    }
  }
  each_of(in, "models", [&](Reader model) { read_model(std::move(model), calibration); });
  in.reject_unknown_keys();
  if (!errors.empty()) return failure(std::move(errors));
  return calibration;
}

}  // namespace inferometer
