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
  if (!found) {
    const std::string near = nearest(path, known);
    return failure("unknown setting \"" + std::string{path} + "\"" +
                   (near.empty() ? "; see `inferometer list settings`" : "; did you mean \"" + near + "\"?"));
  }
  if (!outcome) return failure(std::string{path} + ": " + outcome.error().front().message);
  // What a published head count implies must follow when the count is changed.
  if (path.starts_with("architecture.")) {
    Architecture& a = c.models.at("model");
    a.windowed_layer.resize(
        a.windowed_layer.empty() ? 0 : static_cast<std::size_t>(std::max<std::int64_t>(0, a.layers)), false);
    if (a.moe)
      a.moe->sparse_layer.resize(static_cast<std::size_t>(std::max<std::int64_t>(0, a.layers)), true);
  }
  return std::monostate{};
}

std::uint64_t settings_hash(const Case& c) {
  std::uint64_t hash = 0;
  for (const Setting& s : settings(c)) hash = mix(hash ^ tensor_key(tensor_key(1, s.path), s.value));
  return hash;
}

}  // namespace inferometer
