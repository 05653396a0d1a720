#include "served/conventions.hpp"

#include "model/reader.hpp"
#include "scenarios/setting_tree.hpp"
#include "scenarios/yaml_document.hpp"

namespace inferometer {
namespace {

SettingPaths settable() {
  SettingPaths paths;
  const auto add = [&](std::string_view path, const auto&, std::string_view) { paths.emplace_back(path); };
  Plan plan;
  fields(plan, add);
  Serving serving;
  serving_fields(serving, add);
  return paths;
}

std::vector<Edit> read_edits(Reader& in, const std::string& key, const SettingPaths& paths) {
  const Document* settings = in.raw(key);
  if (settings == nullptr) return {};
  return read_settings(*settings, paths, in.path() + "." + key, in.errors());
}

ServingConventions::Model read_model(Reader in, const SettingPaths& paths) {
  ServingConventions::Model model{.preset = in.optional<std::string>("preset", ""),
                                  .not_predicted = in.optional<std::string>("not_predicted", ""),
                                  .not_scored = in.optional<std::string>("not_scored", ""),
                                  .edits = read_edits(in, "set", paths)};
  if (auto with = in.maybe_mapping("with")) {
    for (const std::string& engine : with->keys()) model.with[engine] = read_edits(*with, engine, paths);
  }
  if (model.preset.empty() == model.not_predicted.empty())
    in.error("preset", "either a preset is needed, or not_predicted with the reason");
  in.reject_unknown_keys();
  return model;
}

ServingConventions::Lengths read_lengths(Reader in) {
  ServingConventions::Lengths lengths{.source = in.required<std::string>("source"),
                                      .shortest_percent = in.required<std::int64_t>("shortest_percent")};
  if (in.has("shortest_percent") && (lengths.shortest_percent < 1 || lengths.shortest_percent > 100))
    in.error("shortest_percent", "must be 1 to 100");
  in.reject_unknown_keys();
  return lengths;
}

}  // namespace

std::int64_t ServingConventions::shortest_percent(const std::string& source) const {
  for (const Lengths& l : lengths) {
    if (source.starts_with(l.source)) return l.shortest_percent;
  }
  return 100;
}

Result<ServingConventions> read_conventions(const std::string& text, const std::filesystem::path& file) {
  const auto document = parse_yaml(text, file.string());
  if (!document) return failure(document.error());
  Errors errors;
  Reader in(*document, "", errors);
  ServingConventions all;
  const SettingPaths paths = settable();
  Reader models = in.required_mapping("models");
  for (const std::string& name : models.keys())
    all.models[name] = read_model(models.required_mapping(name), paths);
  for (auto [key, edits] : {std::pair{"products", &all.products}, std::pair{"engines", &all.engines}}) {
    Reader named = in.required_mapping(key);
    for (const std::string& name : named.keys()) (*edits)[name] = read_edits(named, name, paths);
  }
  if (const Document* list = in.raw("lengths"); list == nullptr || list->kind != Document::Kind::sequence) {
    in.error("lengths", "a list is needed");
  } else {
    for (std::size_t i = 0; i < list->sequence.size(); ++i)
      all.lengths.push_back(
          read_lengths(Reader(list->sequence[i], "lengths[" + std::to_string(i) + "]", errors)));
  }
  in.reject_unknown_keys();
  if (!errors.empty()) return failure(std::move(errors));
  return all;
}

}  // namespace inferometer
