#pragma once
#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "roofline/steps/estimate_kernel.hpp"
#include "simulator/predict.hpp"

namespace inferometer {

/// predict()'s times of many steps of one network, in closed form. On a GPU all but attention depends on how
/// many tokens, sequences and logits a step has, and is found once for each such triple; between two kernels
/// of attention the host's launches and the kernels are one max-plus step,
///   end = max(end + work, latest)    latest: as if the kernel that waits longest for the host were the first
/// so that a step costs two of those a layer. Steps with a copy beside them or naive attention, and those of
/// a processor, are predicted as predict() does.
///
/// requires  the case, structure and calibration to outlive it
/// source    max-plus algebra: Baccelli, Cohen, Olsder, Quadrat, "Synchronization and Linearity", 1992
class StepPredictor {
 public:
  StepPredictor(const Case& c, const Structure& structure, const Calibration& calibration);
  /// To the end of the step: equal to predict()'s timeline.end.
  Nanoseconds time(const Features& features);
  /// Of a step of equal sequences with these totals; what depends on each one's length is the same for
  /// sequences that differ (but naive attention and processors). O(1) in the number of sequences.
  Nanoseconds time(const StepTotals& totals);

 private:
  /// A kernel with attention in it.
  struct Attending {
    Attention op;  ///< without slices
    const FittedModel *single = nullptr, *prompts = nullptr;
  };
  /// What lies between two kernels of attention, with the host's time from the step's start.
  struct Stretch {
    Nanoseconds work{0}, latest{0};
    Nanoseconds host{0};          ///< at which the attention behind it was launched
    std::int32_t attending = -1;  ///< that attention, in attending_; -1: the step ends
  };
  struct Shape {
    std::vector<Stretch> stretches;
    std::vector<Attending> attending;  ///< those that differ
    bool eager = false;
    Seconds gap{0};
  };
  Shape shape_of(const Features& run, bool is_recorded) const;
  bool closed() const;
  Nanoseconds attend(const Attending& a, const Attended& lengths, Seconds gap) const;

  const Case& case_;
  const Structure& structure_;
  const Calibration& calibration_;
  std::map<std::tuple<std::int64_t, std::int64_t, std::int64_t, int>, Shape> shapes_;
  std::vector<Nanoseconds> attended_;
};

}  // namespace inferometer
