#pragma once
#include <filesystem>
#include <string>

#include "roofline/fit.hpp"
#include "scenarios/scenario.hpp"

namespace inferometer {

/// A device with what calibration knows of it, as one YAML file holds them.
struct DeviceFile {
  Device device;
  Calibration calibration;
  FitQuality quality;  ///< of the calibration; zero where there is none
};

/// Reads a device file: every number a {value, source} pair with its unit; `calibration:` beside them where
/// the device was measured.
/// errors  all mistakes at their places: missing or unknown keys, numbers without unit or source, rates that
///         are not positive, parameters that are unknown or outside the range that physics allows
[[nodiscard]] Result<DeviceFile> read_device(const std::string& text, const std::filesystem::path& file);

/// The text of a device file. It reads back to the same values to six digits, and prints to the same text.
std::string print_device(const DeviceFile& device);

/// The file that `name` stands for: a preset, "host", or a path. beside: the folder that relative paths start
/// from. Errors name the nearest preset, and how to make "host" when it is missing.
[[nodiscard]] Result<DeviceFile> find_device(const std::string& name, const Library& library,
                                             const std::filesystem::path& beside = ".");

/// Writes what `calibrate` measured and fitted.
[[nodiscard]] Done write_calibrated_device(const std::filesystem::path& file, const Device& device,
                                           const FitResult& fitted);

}  // namespace inferometer
