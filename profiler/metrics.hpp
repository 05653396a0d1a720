#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/result.hpp"

namespace inferometer {

/// A hardware counter, as CUPTI names it and as spans carry it, with the unit in the name.
struct Metric {
  const char* cupti;
  std::string_view name, doc;
};
inline constexpr std::array metrics{
    Metric{"dram__bytes_read.sum", "dram_read_bytes", "read from device memory"},
    Metric{"dram__bytes_write.sum", "dram_write_bytes", "written to device memory"},
    Metric{"lts__t_sector_hit_rate.pct", "l2_hit_percent", "of the sectors asked of the L2 cache"},
    Metric{"sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_elapsed", "tensor_active_percent",
           "of the cycles in which the matrix units could work"},
    Metric{"sm__warps_active.avg.pct_of_peak_sustained_active", "occupancy_percent",
           "of the warps that multiprocessors at work could hold"},
    Metric{"sm__cycles_elapsed.avg.per_second", "sm_clock_hertz", "clock of the multiprocessors"},
};

/// What must be set up in the hardware to count `metrics` on a kind of chip, and how often a step runs for
/// it. Made by CUPTI's host interface, which needs no GPU.
class MetricPlan {
 public:
  /// chip: such as "GH100"; availability: which counters this driver grants, empty: all
  /// errors  a chip or metric that CUPTI does not know
  [[nodiscard]] static Result<MetricPlan> of(const std::string& chip,
                                             const std::vector<std::uint8_t>& availability = {});

  const std::vector<std::uint8_t>& image() const { return image_; }
  std::size_t passes() const { return passes_; }
  /// Values of one range of a counter data image, by Metric::name.
  [[nodiscard]] Result<std::map<std::string, double>> values(const std::vector<std::uint8_t>& data,
                                                             std::size_t range) const;

 private:
  struct Host;
  std::shared_ptr<Host> host_;
  std::vector<std::uint8_t> image_;
  std::size_t passes_ = 0;
};

/// The metrics' names as CUPTI wants them.
std::array<const char*, metrics.size()> cupti_names();

}  // namespace inferometer
