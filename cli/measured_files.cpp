#include "cli/measured_files.hpp"

#include <fmt/format.h>

#include <cstdlib>

#include "scenarios/calibration_file.hpp"
#include "scenarios/files.hpp"
#include "scenarios/measured_samples.hpp"

namespace inferometer {

Result<MeasuredFiles> read_measured_files(const std::vector<std::string>& files, const Device& device) {
  MeasuredFiles read;
  for (const std::string& file : files) {
    const Result<std::string> text = read_file(file);
    if (!text) return failure(text.error());
    Result<std::vector<Measurement>> rows = read_measurements(*text, file);
    if (!rows) return failure(rows.error());
    const Result<std::vector<Sample>> samples = samples_on(device, *rows, file);
    if (!samples) return failure(samples.error());
    read.samples.insert(read.samples.end(), samples->begin(), samples->end());
    read.files.push_back(
        {std::filesystem::path{file}.filename().string(), content_hash(*text), std::move(*rows)});
  }
  return read;
}

Result<std::filesystem::path> data_folder(const std::string& given) {
  const char* const named = std::getenv("INFEROMETER_DATA");
  const std::filesystem::path folder = !given.empty() ? given : named != nullptr ? named : "";
  if (folder.empty())
    return failure(
        "no measurements: --data FOLDER is needed, or a folder named by the environment variable "
        "INFEROMETER_DATA");
  return folder;
}

void warn_of_few(const std::string& op, const std::string& variant, std::size_t rows,
                 std::size_t parameters) {
  fmt::print(stderr, "warning: {} {}: {} rows do not determine {} parameters\n", op, variant, rows,
             parameters);
}

}  // namespace inferometer
