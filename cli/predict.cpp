#include <fmt/format.h>

#include "cli/edges.hpp"
#include "model/optimizations.hpp"
#include "reports/prediction_report.hpp"
#include "scenarios/calibration_file.hpp"
#include "scenarios/check_case.hpp"

namespace inferometer {

Result<Case> case_of(const Context& context, const PredictOptions& options) {
  Result<Architecture> model = load_model(options.model, context.library);
  if (!model) return failure(model.error());
  Result<Device> device = device_or_calibrate(context, options.device);
  if (!device) return failure(device.error());
  Case c;
  c.models["model"] = std::move(*model);
  c.cluster.device = std::move(*device);
  c.workload = {.batch = options.batch, .prompt_tokens = options.context, .output_tokens = 1};
  if (auto applied = apply(c, options.optimizations); !applied) return failure(applied.error());
  for (const std::string& setting : options.settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos) return failure("--set " + setting + ": path=value is needed");
    const Edit edit{setting.substr(0, equals), setting.substr(equals + 1), {"--set", 0, 0}};
    if (edit.path.starts_with("workload."))
      return failure("--set " + setting + ": one step has no workload; use --batch and --context");
    if (auto set = set_field(c, edit); !set) return failure(set.error());
  }
  c.cluster.count = c.plan.parallel.devices();
  if (Errors errors = check_case(c, {}, {}); !errors.empty()) return failure(std::move(errors));
  return c;
}

Result<Features> features_of(const PredictOptions& options) {
  if (options.phase != "prefill" && options.phase != "decode") {
    return failure("--phase " + options.phase + ": expected prefill or decode");
  }
  if (options.batch < 1 || options.batch > 100'000) return failure("--batch: must be 1 to 100,000");
  if (options.context < 1 || options.context > 10'000'000)
    return failure("--context: must be 1 to 10,000,000");
  const std::int64_t fresh = options.phase == "decode" ? 1 : options.context;
  Features f{.tokens = options.batch * fresh, .sequences = options.batch, .logit_rows = options.batch};
  f.slices.assign(static_cast<std::size_t>(options.batch), {fresh, options.context - fresh});
  return f;
}

int predict_command(const Context& context, const PredictOptions& options) {
  const Result<Features> features = features_of(options);
  if (!features) return tell(features.error(), wrong_input);
  Result<Case> c = case_of(context, options);
  if (!c) return tell(c.error(), wrong_input);
  Result<Structure> structure = compile(c->model(), c->plan);
  if (!structure) return tell(structure.error(), wrong_input);
  const Features share = fullest_share(*features, c->plan.parallel.data);
  const Result<Calibration> calibration = options.calibration.empty()
                                              ? calibration_for(options.device, context.library)
                                              : load_calibration(options.calibration, c->cluster.device);
  if (!calibration) return tell(calibration.error(), wrong_input);
  Prediction prediction = predict(*c, *structure, share, *calibration);
  const MemoryUse memory = memory_of_step(*c, *structure, share, share.sequences, options.context);
  const PredictionReport report{.model = options.model,
                                .phase = options.phase,
                                .settings = std::move(*c),
                                .structure = std::move(*structure),
                                .features = share,
                                .prediction = std::move(prediction),
                                .memory = memory};
  fmt::print("{}", context.json ? prediction_json(report) : prediction_table(report));
  return done;
}

}  // namespace inferometer
