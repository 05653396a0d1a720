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

}  // namespace

std::vector<std::string> list_models(const Library& library) {
  return names_in(library.root / "models", ".json");
}
std::vector<std::string> list_devices(const Library& library) {
  std::vector<std::string> names = names_in(library.root / "devices", ".yaml");
  names.push_back("host");
  std::sort(names.begin(), names.end());
  return names;
}

Result<Architecture> load_model(const std::string& name, const Library& library, const fs::path& beside) {
  std::error_code ignored;
  fs::path file = library.root / "models" / (name + ".json");
  if (!fs::exists(file, ignored)) {
    file = beside / name;
    if (fs::is_directory(file, ignored)) file /= "config.json";
    if (!fs::exists(file, ignored)) {
      const std::string near = nearest(name, list_models(library));
      return failure("unknown model \"" + name + "\": neither a preset nor a file" +
                     (near.empty() ? "; see `inferometer list models`" : "; did you mean \"" + near + "\"?"));
    }
  }
  const Result<std::string> text = read_file(file);
  if (!text) return failure(text.error());
  const bool plain = file.filename() == "config.json" && file.has_parent_path();
  return read_hf_config(*text, file.string(), (plain ? file.parent_path().filename() : file.stem()).string());
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
