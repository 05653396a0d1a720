#pragma once
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/case.hpp"
#include "model/result.hpp"

namespace inferometer {

/// One setting that an optimization makes.
struct SettingEdit {
  std::string path, value;
  friend bool operator==(const SettingEdit&, const SettingEdit&) = default;
};

/// A named setting of Plan, Architecture or Workload fields from the catalogue of the survey arXiv
/// 2404.14294.
struct Optimization {
  std::string_view name;
  std::string_view survey;   ///< where the survey treats it
  std::string_view summary;  ///< what it does
  std::string_view helps;    ///< when it helps, and when not
  std::vector<SettingEdit> (*edits)(const Case&);
  /// Why it cannot be applied to this case; empty when it can.
  std::string (*obstacle)(const Case&);
};

/// The list. Help, docs, the YAML reader and the tests derive from it.
std::span<const Optimization> optimizations();
const Optimization* find_optimization(std::string_view name);

/// Applies optimizations by name; on failure the case stays as it was.
///
/// Without override_earlier all are judged against the case as it came in, so that their order does not
/// matter, and two that set one field differently are refused. With it they are applied in order, each judged
/// against what those before it made: bf16, then w8a8-int8 keeps a bf16 head.
/// returns  the edits that hold, one for each field
[[nodiscard]] Result<std::vector<SettingEdit>> apply(Case& c, const std::vector<std::string>& names,
                                                     bool override_earlier = false);

}  // namespace inferometer
