#include "scenarios/measured_samples.hpp"

namespace inferometer {

Result<std::vector<Sample>> samples_on(const Device& device, const std::vector<Measurement>& rows,
                                       const std::string& file) {
  std::vector<Sample> samples;
  for (const Measurement& row : rows) {
    const bool exchanges =
        std::holds_alternative<Collective>(row.call) || std::holds_alternative<EagerCollective>(row.call);
    if (exchanges && !device.link_bandwidth)
      return failure("collectives cross links, and device " + device.name + " states no link_bandwidth",
                     {file, row.line, 1});
    samples.push_back({row.call, chip_of(device, multiplied_by(row.call)), row.microseconds, row.resolution});
  }
  return samples;
}

}  // namespace inferometer
