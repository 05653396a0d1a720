#pragma once
#include <string>
#include <vector>

#include "scenarios/study.hpp"

namespace inferometer {

/// What is varied, the slowest first: "variant" where there are any, then the axes of `sweep:`.
std::vector<std::string> axes_of(const Scenario& scenario);
/// The product of variants, the baseline among them, and all axes.
std::size_t points_of(const Scenario& scenario);

/// What a point is, in the order of axes_of().   requires  index < points_of(scenario)
std::vector<std::string> values_at(const Scenario& scenario, std::size_t index);

/// One point of the product.
struct SweepPoint {
  Variant run;                               ///< named by its values
  std::vector<std::string> values;           ///< in the order of axes_of()
  const Calibration* calibration = nullptr;  ///< of its device; lives as long as the scenario
  Errors errors;                             ///< why it cannot be run
};
/// requires  index < points_of(scenario)
SweepPoint point_at(const Scenario& scenario, std::size_t index);

/// What became of one point.
struct PointResult {
  SweepPoint point;
  std::string key;
  std::optional<VariantResult> result;
  std::string failed;  ///< why there is no result
};

/// Where points go when they are done, from any thread.
class PointSink {
 public:
  virtual ~PointSink() = default;
  [[nodiscard]] virtual Result<bool> has(const std::string& key) = 0;
  /// Notes what a point that it has, or will have, is in this sweep.
  [[nodiscard]] virtual Done place(const SweepPoint& point, const std::string& key) = 0;
  /// Keeps a point, and notes its place, for good before it returns.
  [[nodiscard]] virtual Done keep(const PointResult& result) = 0;
};

struct SweepRun {
  std::vector<std::string> keys;  ///< of all points, in their order
  std::size_t ran = 0;            ///< of them; the others were in the sink already
};

/// Predicts every point that the sink does not have, each alone, on so many threads. The same points come
/// out for any number of them.
///
/// program  what predicts, by version and content: points of another one are run anew
/// errors   those of the sink; a point that cannot be run is kept with its reason
[[nodiscard]] Result<SweepRun> run_sweep(const Scenario& scenario, const std::string& program,
                                         PointSink& sink, std::size_t threads, const Progress& progress);

}  // namespace inferometer
