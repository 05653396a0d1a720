#include "papers/engine.hpp"

#include <algorithm>

#include "model/optimizations.hpp"
#include "model/settings.hpp"
#include "scenarios/check_case.hpp"
#include "scenarios/setting_tree.hpp"

namespace inferometer {
namespace {

SettingPaths plan_paths() {
  SettingPaths paths;
  Plan plan;
  fields(plan, [&](std::string_view path, const auto&, std::string_view) { paths.emplace_back(path); });
  return paths;
}

Seconds read_host(Reader in) {
  const auto launches = in.required<std::int64_t>("launches");
  const auto each = in.required<Seconds>("each");
  in.required<std::string>("source");
  if (launches < 0) in.error("launches", "must not be negative");
  if (each < Seconds{0}) in.error("each", "must not be negative");
  in.reject_unknown_keys();
  return static_cast<double>(launches) * each;
}

}  // namespace

Features equal_sequences(std::int64_t batch, std::int64_t fresh, std::int64_t cached) {
  Features f{.tokens = batch * fresh, .sequences = batch, .logit_rows = batch, .slices = {}};
  f.slices.assign(static_cast<std::size_t>(batch), {fresh, cached});
  return f;
}

PublishedEngine::PublishedEngine(Case settings, Structure structure, const Calibration& calibration,
                                 Seconds least)
    : case_(std::make_unique<const Case>(std::move(settings))),
      structure_(std::make_unique<const Structure>(std::move(structure))),
      calibration_(calibration),
      predictor_(std::make_unique<StepPredictor>(*case_, *structure_, calibration)),
      least_(least) {}

Seconds PublishedEngine::time(const Features& step) {
  return std::max<Seconds>(predictor_->time(step), least_);
}

Prediction PublishedEngine::prediction(const Features& step) const {
  return predict(*case_, *structure_, step, calibration_);
}

Seconds PublishedEngine::decode_step(std::int64_t batch, std::int64_t prompt, std::int64_t output) {
  constexpr std::int64_t stride = 32;
  const std::int64_t steps = output - 1;
  Seconds sum{0};
  for (std::int64_t first = 0; first < steps; first += stride) {
    const std::int64_t count = std::min(stride, steps - first);
    sum += static_cast<double>(count) * time(equal_sequences(batch, 1, prompt + first + count / 2));
  }
  return sum / static_cast<double>(steps);
}

std::optional<PublishedEngine> read_engine(Reader in, const DeviceFile& device, const Library& library) {
  Errors& errors = in.errors();
  const std::size_t before = errors.size();
  Case c;
  c.cluster.device = device.device;
  const auto model = in.required<std::string>("model");
  std::vector<std::string> names;
  if (in.has("optimize")) names = in.list<std::string>("optimize").value_or(names);
  std::vector<Edit> edits;
  if (const Document* set = in.raw("set"))
    edits = read_settings(*set, plan_paths(), in.path() + ".set", errors);
  Seconds least{0};
  if (auto host = in.maybe_mapping("host")) least = read_host(*host);
  in.reject_unknown_keys();
  if (errors.size() > before) return std::nullopt;
  Result<Architecture> found = load_model(model, library);
  if (!found) {
    take_errors(errors, found.error(), in.where(), in.path() + ".model: ");
    return std::nullopt;
  }
  c.models["model"] = std::move(*found);
  for (const Edit& edit : edits) {
    if (auto done = set_field(c, edit); !done) take_errors(errors, done.error(), edit.where);
  }
  if (const auto applied = inferometer::apply(c, names); !applied)
    take_errors(errors, applied.error(), in.where(), in.path() + ".optimize: ");
  if (errors.size() > before) return std::nullopt;
  c.cluster.count = c.plan.parallel.devices();
  take_errors(errors, check_case(c, edits, in.where()), in.where());
  Result<Structure> structure = compile(c.model(), c.plan);
  if (errors.size() > before || !structure) return std::nullopt;
  return PublishedEngine(std::move(c), std::move(*structure), device.calibration, least);
}

}  // namespace inferometer
