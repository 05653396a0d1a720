#pragma once
#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "model/case.hpp"
#include "roofline/steps/estimate_kernel.hpp"

namespace inferometer {

/// Kernels of a network that are the same operators of the same sizes, as those of layers that are alike:
/// each class is estimated once for a number of rows.
class KernelClasses {
 public:
  /// requires  the arguments to outlive it
  KernelClasses(const Case& c, const Structure& structure, const Calibration& calibration)
      : case_(c), structure_(structure), calibration_(calibration) {}

  /// The class of a kernel without attention.
  std::int32_t class_of(const NodeRange& kernel);
  struct Timed {
    Seconds alone{0};  ///< without the gaps around it
    bool of_library = false;
  };
  /// A kernel of the class in a step with these totals, of which attention's lengths do not matter, at this
  /// part of the top clock.
  const Timed& time(std::int32_t kernel_class, const StepTotals& totals, double clock);

 private:
  struct Class {
    NodeRange nodes;                                                   ///< of the first such kernel
    bool tokens = false, logits = false, group = false;                ///< what its sizes depend on
    std::map<double, std::unordered_map<std::uint64_t, Timed>> known;  ///< by clock
  };
  bool alike(const NodeRange& a, const NodeRange& b) const;

  const Case& case_;
  const Structure& structure_;
  const Calibration& calibration_;
  std::vector<Class> classes_;
};

}  // namespace inferometer
