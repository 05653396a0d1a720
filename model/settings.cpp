#include "model/settings.hpp"

#include "model/seeded.hpp"
#include "model/setting_text.hpp"

namespace inferometer {

std::vector<Setting> settings(const Case& c) {
  std::vector<Setting> all;
  case_fields(c, [&](std::string_view path, const auto& value, std::string_view doc) {
    all.push_back({std::string{path}, print_setting(value), std::string{doc}});
  });
  return all;
}

namespace {

/// Values by layer follow a changed number of layers: windows repeat their pattern, further layers have
/// experts where the model has any.
void follow_layers(Architecture& a) {
  const auto layers = static_cast<std::size_t>(a.layers);
  std::vector<bool>& windowed = a.windowed_layer;
  for (std::size_t i = 0, published = windowed.size(); published > 0 && windowed.size() < layers; ++i)
    windowed.push_back(windowed[i % published]);
  if (!windowed.empty()) windowed.resize(layers);
  if (a.moe) a.moe->sparse_layer.resize(layers, true);
}

}  // namespace

Done set_setting(Case& c, std::string_view path, std::string_view text) {
  std::vector<std::string> known;
  bool found = false;
  Done outcome = std::monostate{};
  case_fields(c, [&](std::string_view at, auto& value, std::string_view) {
    known.emplace_back(at);
    if (at != path) return;
    found = true;
    outcome = parse_setting(text, value);
  });
  if (path == "architecture.window" && c.model().windowed_layer.empty())
    return failure("architecture.window: no layer of the model has a window");
  if (!found) {
    const std::string near = nearest(path, known);
    return failure("unknown setting \"" + std::string{path} + "\"" +
                   (near.empty() ? "; see `inferometer list settings`" : "; did you mean \"" + near + "\"?"));
  }
  if (!outcome) return failure(std::string{path} + ": " + outcome.error().front().message);
  if (path == "architecture.layers") follow_layers(c.models.at("model"));
  return std::monostate{};
}

std::uint64_t settings_hash(const Case& c) {
  std::uint64_t hash = 0;
  for (const Setting& s : settings(c)) hash = mix(hash ^ tensor_key(tensor_key(1, s.path), s.value));
  return hash;
}

}  // namespace inferometer
