#pragma once
#include <cstdint>
#include <vector>

namespace inferometer {

/// Where log(measured / predicted) lies in nine of ten cases.
struct ErrorRange {
  double low = 0, high = 0;
};

/// How far a prediction of a call of another shape is off.
struct ShapeError {
  double error = 0;         ///< log(measured / predicted) by a model that saw no call of this shape
  std::uint64_t shape = 0;  ///< errors of one shape are alike: they count as fewer than they are
};

/// The 90 % interval that errors of `errors` suggest for the next shape: from 19 errors on their order
/// statistics of ranks 0.05 (n + 1) and 0.95 (n + 1), which hold the next of n + 1 exchangeable errors; of
/// fewer those of Student's distribution. Wider by the ratio of Student's quantiles where errors of a shape
/// are alike, so that they tell as much as fewer independent ones.
///
/// returns  0 to 0 of fewer than two errors: nothing tells
/// source   ranks: Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World", 2005, chapter 2.
///          Alike errors: Kish, "Survey Sampling", 1965, section 8.2, with the intraclass correlation of an
///          analysis of variance (Donner, Int. Stat. Review 54(1), 1986)
ErrorRange error_range(const std::vector<ShapeError>& errors);

/// How many independent errors tell as much as these.
double independent_errors(const std::vector<ShapeError>& errors);

}  // namespace inferometer
