#pragma once
#include <optional>
#include <span>
#include <string_view>

#include "scenarios/study.hpp"

namespace inferometer {

/// One number of a point of a sweep: a column of its table, its CSV and the store.
struct PointMetric {
  std::string_view column;  ///< with its unit
  std::string_view title;   ///< in tables; empty: it stands in files only
  /// Nothing where a point has no such number: of a static batch, or of traffic.
  std::optional<double> (*of)(const VariantResult&);
};

/// All of them, in the order of their columns.
std::span<const PointMetric> point_metrics();

/// What is best where it is largest; columns of point_metrics().
inline constexpr std::string_view throughput_column = "output_tokens_per_s",
                                  goodput_column = "goodput_requests_per_s";

}  // namespace inferometer
