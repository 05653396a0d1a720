#include "scenarios/load_sweep.hpp"

#include <algorithm>

#include "model/settings.hpp"
#include "scenarios/check_case.hpp"
#include "scenarios/device_file.hpp"
#include "scenarios/setting_tree.hpp"

namespace inferometer {
namespace {

constexpr double most_points = 1e6;

class SweepReader {
 public:
  SweepReader(Scenario& s, const Library& library, Errors& errors)
      : s_(s), library_(library), errors_(errors) {
    for (const Setting& setting : settings(s.baseline)) known_.push_back(setting.path);
  }

  void read(const Document& mapping, const std::string& above) {
    for (const Document::Entry& entry : mapping.mapping) {
      const std::string path = above.empty() ? entry.key : above + "." + entry.key;
      if (entry.value.kind == Document::Kind::mapping) {
        read(entry.value, path);
      } else if (entry.value.kind != Document::Kind::sequence || entry.value.sequence.empty()) {
        tell("sweep." + path + ": a list of values is needed", entry.value.where);
      } else {
        read_axis(path, entry);
      }
    }
  }

 private:
  void tell(std::string message, const Location& where) { errors_.push_back({std::move(message), where}); }

  void read_axis(const std::string& path, const Document::Entry& entry) {
    SweepAxis axis{.path = path, .where = entry.key_where};
    const std::string name = "sweep." + path;
    for (const SweepAxis& earlier : s_.sweep) {
      if (earlier.path == path) return tell(name + ": is swept twice", entry.key_where);
    }
    refuse_what_variants_set(axis);
    for (const Document& item : entry.value.sequence) {
      const std::size_t before = errors_.size();
      const std::string value =
          path == "device" ? read_device_name(item, axis) : read_value(entry, item, path);
      if (errors_.size() > before) {
        if (value.empty()) break;  // an unknown setting is told once
        continue;
      }
      if (std::find(axis.values.begin(), axis.values.end(), value) != axis.values.end())
        tell(name + ": \"" + value + "\" is listed twice", item.where);
      axis.values.push_back(value);
    }
    s_.sweep.push_back(std::move(axis));
  }

  /// returns  the value as settings are written; empty where the setting is none
  std::string read_value(const Document::Entry& entry, const Document& item, const std::string& path) {
    Document one{.kind = Document::Kind::mapping};
    one.mapping.push_back({.key = path, .key_where = entry.key_where, .value = item});
    std::vector<Edit> edits = read_settings(one, known_, "sweep", errors_);
    if (edits.empty()) return "";
    Edit& edit = edits.front();
    Case edited = s_.baseline;
    if (const Done set = set_field(edited, edit); !set)
      take_errors(errors_, {{"sweep." + set.error().front().message, edit.where}}, edit.where);
    return edit.value;
  }

  std::string read_device_name(const Document& item, SweepAxis& axis) {
    if (item.kind != Document::Kind::scalar || item.scalar.empty()) {
      tell("sweep.device: a name is needed", item.where);
      return "";
    }
    if (Result<DeviceFile> found = find_device(item.scalar, library_, s_.file.parent_path()); found) {
      axis.devices.push_back({std::move(found->device), std::move(found->calibration)});
    } else {
      take_errors(errors_, found.error(), item.where, "sweep.device: ");
    }
    return item.scalar;
  }

  void refuse_what_variants_set(const SweepAxis& axis) {
    const auto refuse = [&](const std::vector<Edit>& edits, const std::string& who) {
      for (const Edit& edit : edits) {
        if (edit.path == axis.path) tell("sweep." + axis.path + ": " + who + "\" sets it too", axis.where);
      }
    };
    for (const Pool& pool : s_.pools) refuse(pool.edits, "pool \"" + pool.name);
    for (const Variant& v : s_.variants) {
      refuse(v.edits, "variant \"" + v.name);
      for (const Pool& pool : v.pools) refuse(pool.edits, "variant \"" + v.name + "\": pool \"" + pool.name);
    }
  }

  Scenario& s_;
  const Library& library_;
  Errors& errors_;
  SettingPaths known_;
};

}  // namespace

void read_sweep(const Document& section, Scenario& s, const Library& library, Errors& errors) {
  if (section.kind != Document::Kind::mapping || section.mapping.empty())
    return errors.push_back({"sweep: a mapping of settings to lists of values is needed", section.where});
  const std::size_t before = errors.size();
  SweepReader(s, library, errors).read(section, "");
  if (!s.backend.empty())
    errors.push_back({"sweep: its points are predicted, not executed; leave execute: out", section.where});
  double points = 1 + static_cast<double>(s.variants.size());
  for (const SweepAxis& axis : s.sweep) points *= static_cast<double>(axis.values.size());
  if (errors.size() == before && points > most_points)
    errors.push_back({"sweep: is of more than 1000000 points", section.where});
}

}  // namespace inferometer
