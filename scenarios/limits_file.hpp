#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "model/names.hpp"
#include "model/result.hpp"
#include "roofline/estimate.hpp"

namespace inferometer {

/// What errors of kernel models must stay within, in percent, for one operator and dtype ("all": all of them
/// together) of one device at one level.
struct AccuracyLimit {
  std::string device, op, dtype;
  Level level = Level::calibrated;
  double mape = 0;                      ///< highest mean absolute error
  std::optional<double> bias;           ///< highest mean signed error, either way
  std::optional<double> p90_over_mape;  ///< highest 90th percentile, over the mean
  Location where;
};

/// What errors of a published table must stay within, in percent.
struct PaperLimit {
  std::string paper;
  double mape = 0;  ///< highest mean absolute error of its scored rows
  Location where;
};

/// Whether predictions of serving know anything of the engine.
enum class ServingLevel : std::uint8_t { generic, profiled };
template <>
struct Names<ServingLevel> {
  static constexpr std::array list{std::pair{ServingLevel::generic, std::string_view{"generic"}},
                                   std::pair{ServingLevel::profiled, std::string_view{"profiled"}}};
};

/// What errors of serving points must stay within, in percent.
struct ServingLimit {
  ServingLevel level = ServingLevel::generic;
  double tpot_mape = 0, ttft_mape = 0;  ///< highest mean absolute errors of scored points
  std::int64_t scored = 1;              ///< fewest points that must be scored
  Location where;
};

/// Reads {limits: [{level, tpot_mape, ttft_mape, scored}]}.
/// errors  as read_limits()
[[nodiscard]] Result<std::vector<ServingLimit>> read_serving_limits(const std::string& text,
                                                                    const std::filesystem::path& file);

/// Reads {limits: [{paper, mape}]}.
/// errors  as read_limits()
[[nodiscard]] Result<std::vector<PaperLimit>> read_paper_limits(const std::string& text,
                                                                const std::filesystem::path& file);

/// Reads {limits: [{device, operator, dtype, level, mape, bias, p90_over_mape}]}.
/// errors  all at their places: what is missing, unknown or not positive
[[nodiscard]] Result<std::vector<AccuracyLimit>> read_limits(const std::string& text,
                                                             const std::filesystem::path& file);

}  // namespace inferometer
