#pragma once
#include <optional>
#include <string>
#include <vector>

#include "scenarios/study.hpp"

namespace inferometer {

/// Kernels that follow each other, by the rows of their operators.
struct KernelPairs {
  std::string first, second;
  std::int64_t count = 0, apart = 0;  ///< apart: of those, second began after first had ended
};

/// What looking at each kernel changed about a step. Nothing is ever scaled by it: times of operators are
/// those of the traced step.
struct Tracing {
  Nanoseconds traced{}, untraced{};  ///< the traced step's end; the median of the timed ones
  std::int64_t kernels = 0;          ///< spans of the traced step that nodes ran in
  /// Pairs that the plan lets overlap (launch.overlap), in the order of the step; those which ran apart were
  /// held apart by tracing, or by a kernel that cannot overlap, such as a library's.
  std::vector<KernelPairs> may_overlap;

  double ratio() const;
  /// (traced - untraced) / kernels. Negative where the traced step, which is counted from the start of its
  /// first kernel to the end of its last, was shorter than the median of the steps.
  Seconds per_kernel() const;
  KernelPairs all() const;
};
/// Absent where nothing was traced.
std::optional<Tracing> tracing_of(const VariantResult& v, const PhaseResult& phase);
/// That in one or two lines.
std::string tracing_text(const Tracing& tracing, const Samples& untraced);

/// Pairs of spans that follow each other in one stream of `timeline`, by `row` of their first nodes.
std::vector<KernelPairs> pairs_of(const Timeline& timeline,
                                  const std::function<std::string(std::size_t node)>& row);

}  // namespace inferometer
