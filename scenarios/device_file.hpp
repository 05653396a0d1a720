#pragma once
#include <filesystem>

#include "roofline/fit.hpp"
#include "scenarios/scenario.hpp"

namespace inferometer {

/// A device with what calibration knows of it, as one YAML file holds them.
struct DeviceFile {
  Device device;
  Calibration calibration;
};

/// Reads a device file: every number a {value, source} pair with its unit; `calibration:` beside it where
/// there is one.
[[nodiscard]] Result<DeviceFile> read_device(const std::string& text, const std::filesystem::path& file);
/// The text of a device file that reads back to the same values.
std::string print_device(const DeviceFile& device, const FitQuality& quality);
/// The file that `name` stands for: a preset, "host", or a path. Errors name the nearest preset.
[[nodiscard]] Result<DeviceFile> find_device(const std::string& name, const Library& library,
                                             const Location& where = {});

}  // namespace inferometer
