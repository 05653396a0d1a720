#pragma once
#include <filesystem>

#include "model/device.hpp"
#include "roofline/fitting/sample.hpp"
#include "scenarios/measurements.hpp"

namespace inferometer {

/// Files of measured kernels, and all their rows as samples of one device.
struct MeasuredFiles {
  struct File {
    std::string name;  ///< without its folders
    std::string hash;  ///< of its content
    std::vector<Measurement> rows;
  };
  std::vector<File> files;
  std::vector<Sample> samples;
};
Result<MeasuredFiles> read_measured_files(const std::vector<std::string>& files, const Device& device);

/// The folder of measured data: `given`, or what the environment variable INFEROMETER_DATA names.
Result<std::filesystem::path> data_folder(const std::string& given);

/// Says on stderr that `rows` do not determine a model's parameters.
void warn_of_few(const std::string& op, const std::string& variant, std::size_t rows, std::size_t parameters);

}  // namespace inferometer
