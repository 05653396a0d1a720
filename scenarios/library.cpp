#include <algorithm>

#include "model/hf_config.hpp"
#include "model/reader.hpp"
#include "scenarios/device_file.hpp"
#include "scenarios/files.hpp"

namespace inferometer {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> names_in(const fs::path& folder, const std::string& extension) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == extension) names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool is_known(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// A name with a slash or an extension is a path; anything else was meant as a preset.
bool looks_like_path(const std::string& name, const std::string& extension) {
  return name.find('/') != std::string::npos || name.ends_with(extension) || name == "." || name == "..";
}

std::string unknown(const std::string& what, const std::string& name, const std::vector<std::string>& known) {
  std::string all;
  for (const std::string& k : known) all += (all.empty() ? "" : ", ") + k;
  const std::string near = nearest(name, known);
  return "unknown " + what + " \"" + name + "\"" + (near.empty() ? "" : "; did you mean \"" + near + "\"?") +
         " (presets: " + all + ")";
}

}  // namespace

std::vector<std::string> list_models(const Library& library) {
  return names_in(library.root / "models", ".json");
}

std::vector<std::string> list_devices(const Library& library) {
  std::vector<std::string> names = names_in(library.root / "devices", ".yaml");
  names.emplace_back("host");
  std::sort(names.begin(), names.end());
  return names;
}

Result<Architecture> load_model(const std::string& name, const Library& library, const fs::path& beside) {
  const std::vector<std::string> presets = list_models(library);
  fs::path file = library.root / "models" / (name + ".json");
  if (!is_known(presets, name)) {
    if (!looks_like_path(name, ".json")) return failure(unknown("model", name, presets));
    file = beside / name;
    std::error_code ignored;
    if (fs::is_directory(file, ignored)) file /= "config.json";
  }
  const Result<std::string> text = read_file(file);
  if (!text) return failure(text.error());
  const bool in_folder = file.filename() == "config.json" && file.has_parent_path();
  const fs::path called = in_folder ? fs::weakly_canonical(file).parent_path().filename() : file.stem();
  return read_hf_config(*text, file.string(), called.string());
}

Result<DeviceFile> find_device(const std::string& name, const Library& library, const fs::path& beside) {
  const std::vector<std::string> presets = list_devices(library);
  fs::path file = library.root / "devices" / (name + ".yaml");
  std::error_code ignored;
  if (name == "host") {
    file = library.calibration / "host.yaml";
    if (!fs::exists(file, ignored))
      return failure("this host is not measured yet; run `inferometer calibrate --backend cpu`");
  } else if (!is_known(presets, name)) {
    if (!looks_like_path(name, ".yaml")) return failure(unknown("device", name, presets));
    file = beside / name;
  }
  const Result<std::string> text = read_file(file);
  if (!text) return failure(text.error());
  return read_device(*text, file);
}

Result<Device> load_device(const std::string& name, const Library& library) {
  Result<DeviceFile> found = find_device(name, library);
  if (!found) return failure(found.error());
  return found->device;
}

Result<Calibration> calibration_for(const std::string& device, const Library& library) {
  Result<DeviceFile> found = find_device(device, library);
  if (!found) return failure(found.error());
  return found->calibration;
}

}  // namespace inferometer
