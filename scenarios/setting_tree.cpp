#include "scenarios/setting_tree.hpp"

#include <algorithm>

#include "model/reader.hpp"

namespace inferometer {
namespace {

class SettingReader {
 public:
  SettingReader(const SettingPaths& known, std::string name, Errors& errors)
      : known_(known), name_(std::move(name)), errors_(errors) {}

  void read(const Document& mapping, const std::string& above) {
    for (const Document::Entry& entry : mapping.mapping) {
      const std::string path = above.empty() ? entry.key : above + "." + entry.key;
      const bool leaf = std::find(known_.begin(), known_.end(), path) != known_.end();
      const bool group = std::any_of(known_.begin(), known_.end(),
                                     [&](const std::string& k) { return k.starts_with(path + "."); });
      if (!leaf && !group) {
        tell(above, "unknown key \"" + entry.key + "\"" + suggestion(above, entry.key), entry.key_where);
      } else if (leaf) {
        read_value(entry.value, path);
      } else if (entry.value.kind == Document::Kind::mapping) {
        read(entry.value, path);
      } else {
        tell(path, "a mapping of settings is needed", entry.value.where);
      }
    }
  }
  std::vector<Edit> take() { return std::move(edits_); }

 private:
  void tell(const std::string& path, const std::string& message, const Location& where) {
    errors_.push_back({name_ + (path.empty() ? "" : "." + path) + ": " + message, where});
  }

  /// The nearest key at this level, or the setting that ends as the key does ("kv_heads").
  std::string suggestion(const std::string& above, const std::string& key) const {
    const std::string prefix = above.empty() ? "" : above + ".";
    std::vector<std::string> candidates;
    for (const std::string& path : known_) {
      if (!path.starts_with(prefix)) continue;
      const std::string rest = path.substr(prefix.size());
      if (rest.ends_with("." + key)) return "; did you mean \"" + rest + "\"?";
      candidates.push_back(rest.substr(0, rest.find('.')));
      if (key.find('.') != std::string::npos) candidates.push_back(rest);
    }
    const std::string near = nearest(key, candidates);
    if (!near.empty()) return "; did you mean \"" + near + "\"?";
    std::string all;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (std::find(candidates.begin(), candidates.begin() + i, candidates[i]) == candidates.begin() + i)
        all += (all.empty() ? "" : ", ") + candidates[i];
    }
    return "; expected one of " + all;
  }

  void read_value(const Document& value, const std::string& path) {
    Edit edit{path, value.scalar, value.where};
    switch (value.kind) {
      case Document::Kind::null:
        return tell(path, "is empty; a value is needed", value.where);
      case Document::Kind::mapping:
        return tell(path, "is a mapping; a value is needed", value.where);
      case Document::Kind::sequence:
        for (const Document& item : value.sequence) {
          if (item.kind != Document::Kind::scalar)
            return tell(path, "a list of plain values is needed", item.where);
          edit.value += (edit.value.empty() ? "" : " ") + item.scalar;
        }
        break;
      case Document::Kind::scalar:
        break;
    }
    // The parser refuses repeated keys; what is left is one setting in nested and in dotted form.
    for (const Edit& e : edits_) {
      if (e.path == path)
        return tell(path, "is set twice; first at line " + std::to_string(e.where.line), value.where);
    }
    edits_.push_back(std::move(edit));
  }

  const SettingPaths& known_;
  const std::string name_;
  Errors& errors_;
  std::vector<Edit> edits_;
};

}  // namespace

std::vector<Edit> read_settings(const Document& mapping, const SettingPaths& known, const std::string& name,
                                Errors& errors) {
  if (mapping.kind != Document::Kind::mapping) {
    errors.push_back({name + ": a mapping of settings is needed", mapping.where});
    return {};
  }
  SettingReader reader(known, name, errors);
  reader.read(mapping, "");
  return reader.take();
}

}  // namespace inferometer
