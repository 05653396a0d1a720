#include "scenarios/limits_file.hpp"

#include "model/read_name.hpp"
#include "model/reader.hpp"
#include "scenarios/yaml_document.hpp"

namespace inferometer {
namespace {

AccuracyLimit read_limit(Reader in) {
  AccuracyLimit limit{.device = in.required<std::string>("device"),
                      .op = in.required<std::string>("operator"),
                      .dtype = in.required<std::string>("dtype"),
                      .level = Level::calibrated,
                      .mape = in.required<double>("mape"),
                      .bias = in.maybe<double>("bias"),
                      .p90_over_mape = in.maybe<double>("p90_over_mape"),
                      .where = in.where()};
  limit.level = read_name<Level>(in, "level");
  if (in.has("mape") && limit.mape <= 0) in.error("mape", "must be positive");
  if (limit.bias.value_or(1) <= 0) in.error("bias", "must be positive");
  if (limit.p90_over_mape.value_or(1) <= 0) in.error("p90_over_mape", "must be positive");
  in.reject_unknown_keys();
  return limit;
}

PaperLimit read_paper_limit(Reader in) {
  PaperLimit limit{
      .paper = in.required<std::string>("paper"), .mape = in.required<double>("mape"), .where = in.where()};
  if (in.has("mape") && limit.mape <= 0) in.error("mape", "must be positive");
  in.reject_unknown_keys();
  return limit;
}

ServingLimit read_serving_limit(Reader in) {
  ServingLimit limit{.tpot_mape = in.required<double>("tpot_mape"),
                     .ttft_mape = in.required<double>("ttft_mape"),
                     .scored = in.optional<std::int64_t>("scored", 1),
                     .where = in.where()};
  limit.level = read_name<ServingLevel>(in, "level");
  if (in.has("tpot_mape") && limit.tpot_mape <= 0) in.error("tpot_mape", "must be positive");
  if (in.has("ttft_mape") && limit.ttft_mape <= 0) in.error("ttft_mape", "must be positive");
  in.reject_unknown_keys();
  return limit;
}

/// The list under `limits`, each read by `read_one`.
template <class ReadOne>
auto read_list(const std::string& text, const std::filesystem::path& file, ReadOne read_one)
    -> Result<std::vector<decltype(read_one(std::declval<Reader>()))>> {
  const auto document = parse_yaml(text, file.string());
  if (!document) return failure(document.error());
  Errors errors;
  Reader in(*document, "", errors);
  std::vector<decltype(read_one(std::declval<Reader>()))> limits;
  if (const Document* list = in.raw("limits"); list == nullptr) {
    in.error("limits", "a list of limits is needed");
  } else if (list->kind != Document::Kind::sequence) {
    in.error("limits", "must be a list");
  } else {
    for (std::size_t i = 0; i < list->sequence.size(); ++i)
      limits.push_back(read_one(Reader(list->sequence[i], "limits[" + std::to_string(i) + "]", errors)));
  }
  in.reject_unknown_keys();
  if (!errors.empty()) return failure(std::move(errors));
  return limits;
}

}  // namespace

Result<std::vector<AccuracyLimit>> read_limits(const std::string& text, const std::filesystem::path& file) {
  return read_list(text, file, read_limit);
}

Result<std::vector<ServingLimit>> read_serving_limits(const std::string& text,
                                                      const std::filesystem::path& file) {
  return read_list(text, file, read_serving_limit);
}

Result<std::vector<PaperLimit>> read_paper_limits(const std::string& text,
                                                  const std::filesystem::path& file) {
  return read_list(text, file, read_paper_limit);
}

}  // namespace inferometer
