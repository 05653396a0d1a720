#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "scenarios/study.hpp"

namespace inferometer {

/// A time taken apart, in whole nanoseconds so that the parts sum to it exactly:
///   flops, bytes, wave, launch   what the kernel models say, node by node (roofline/estimate.hpp)
///   overlap_gap                  what the event run adds or hides: sharing, overlap, waiting
///   unexplained                  measured minus predicted; 0 where nothing was measured
/// Without hardware counters nobody can say which of the model's parts was wrong: what the model did not say
/// is unexplained, and is never spread over the other columns.
struct Explanation {
  Nanoseconds flops{}, bytes{}, wave{}, launch{}, overlap_gap{}, unexplained{};

  Nanoseconds predicted() const { return flops + bytes + wave + launch + overlap_gap; }
  Nanoseconds total() const { return predicted() + unexplained; }
  Explanation& operator+=(const Explanation& o);
  Explanation& operator-=(const Explanation& o);
  friend bool operator==(const Explanation&, const Explanation&) = default;
};

/// The spelling of each part, for headings and keys.
struct ExplanationPart {
  std::string_view name, key;
  Nanoseconds Explanation::*value;
};
inline constexpr std::array explanation_parts{
    ExplanationPart{"FLOPs", "flops", &Explanation::flops},
    ExplanationPart{"bytes", "bytes", &Explanation::bytes},
    ExplanationPart{"wave/tile", "wave", &Explanation::wave},
    ExplanationPart{"launch", "launch", &Explanation::launch},
    ExplanationPart{"overlap/gap", "overlap_gap", &Explanation::overlap_gap},
    ExplanationPart{"unexplained", "unexplained", &Explanation::unexplained},
};

/// All nodes of one role in a step. Times are exposed ones (model/timeline.hpp): kernels may overlap.
struct RoleTime {
  std::string role;
  std::int64_t count = 0;
  Bound bound = Bound::launch;  ///< of most of its predicted time
  Flops flops{0};
  Bytes bytes{0};  ///< moved
  Nanoseconds predicted{};
  std::optional<Nanoseconds> measured;
  Explanation explanation;  ///< sums to measured, or to predicted where nothing was measured
};

/// One step by role. The row named `between` holds what no node accounts for: gaps, host work, and the
/// difference between the timed step and the sum of its profile (looking at each node costs time too).
struct StepExplanation {
  static constexpr std::string_view between = "between operators";
  std::vector<RoleTime> roles;  ///< in the order of the step
  RoleTime total;               ///< predicted: the event run's end; measured: the median untraced step
};
/// The row that a node is in: its role, or those of all nodes that share its kernel, whose times nobody can
/// tell apart.
std::string row_of(const Structure& structure, std::size_t node, const Features& run);
StepExplanation explain(const Structure& structure, const PhaseResult& phase);

/// Why a variant's step takes another time than the baseline's: b - a, role by role. Roles that only one of
/// them has count as 0 in the other.
struct Difference {
  std::string role;
  Nanoseconds predicted{};
  std::optional<Nanoseconds> measured;
  Explanation explanation;
};
struct StepDifference {
  std::vector<Difference> roles;
  Difference total;
};
StepDifference subtract(const StepExplanation& b, const StepExplanation& a);

}  // namespace inferometer
