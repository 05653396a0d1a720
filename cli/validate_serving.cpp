#include <fmt/format.h>

#include "cli/edges.hpp"
#include "cli/judgement.hpp"
#include "reports/serving_validation.hpp"
#include "scenarios/files.hpp"

namespace inferometer {
namespace {

Result<std::vector<ServingLimit>> serving_limits_in(const std::string& file) {
  if (file.empty()) return std::vector<ServingLimit>{};
  const Result<std::string> text = read_file(file);
  if (!text) return failure(text.error());
  return read_serving_limits(*text, file);
}

Result<ServingConventions> shipped_conventions(const Library& library) {
  const std::filesystem::path file = library.root / "served" / "conventions.yaml";
  const Result<std::string> text = read_file(file);
  if (!text) return failure(text.error());
  return read_conventions(*text, file);
}

}  // namespace

int validate_serving_command(const Context& context, const ValidateServingOptions& options) {
  const std::optional<double> fit_on = fraction_of(options.fit_on);
  if (!fit_on)
    return tell({{"--fit-on " + options.fit_on + ": a part between 0 and 100 % is needed, such as 20%"}},
                wrong_input);
  const Result<std::vector<ServingLimit>> limits = serving_limits_in(options.require);
  if (!limits) return tell(limits.error(), wrong_input);
  const Result<ServingConventions> conventions = shipped_conventions(context.library);
  if (!conventions) return tell(conventions.error(), wrong_input);
  const Result<std::filesystem::path> data = data_folder(options.data);
  if (!data) return tell(data.error(), wrong_input);
  const std::filesystem::path file = *data / "e2e_serving" / "agg_h200_b200.csv";
  const Result<std::string> text = read_file(file);
  if (!text) return tell(text.error(), wrong_input);
  const Result<std::vector<ServingPoint>> points = read_serving_points(*text, file.string());
  if (!points) return tell(points.error(), wrong_input);
  ServingValidation validation{.file = file.filename().string(),
                               .options = {.fit_on = *fit_on, .seed = options.seed}};
  validation.judged = judge_points(*points, *conventions, context.library, validation.options);
  const std::filesystem::path run = *data / "e2e_vllm_rtx4090_llama31_8b";
  if (std::filesystem::exists(run)) {
    Result<Replay> replay = replay_run(run, *data / "traces" / "sharegpt_llama31_300.csv", context.library);
    if (!replay) return tell(replay.error(), wrong_input);
    validation.replay = std::move(*replay);
  }
  fmt::print("{}", context.json ? serving_json(validation) : serving_table(validation));
  const Errors errors = unmet(validation, *limits);
  return errors.empty() ? done : tell(errors, failed);
}

}  // namespace inferometer
