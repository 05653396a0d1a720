#pragma once
#include <cstdint>
#include <map>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "roofline/kernels/chip.hpp"
#include "simulator/kernel_classes.hpp"
#include "simulator/predict.hpp"
#include "simulator/step_clock.hpp"

namespace inferometer {

/// predict()'s times of many steps of one network, in closed form. On a GPU all but attention depends on how
/// many tokens and logits a step has, and is found once for each such pair; between two kernels of attention
/// the host's launches and the kernels are one max-plus step,
///   end = max(end + work, latest)    latest: as if the kernel that waits longest for the host were the first
/// and n equal layers are one as well, since launches come at equal distances:
///   end = max(end + n (work + attention), the same from the first layer's launch, from the last one's)
/// so that a step costs a few of those, and as many again at the lower clock of a limit of power. Steps with
/// a copy beside them or naive attention, those of a processor and of whole pipelines (PipelinePredictor has
/// their stages) are predicted as predict() does.
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
    SingleTokenKernel kernel;
    const FittedModel *single = nullptr, *prompts = nullptr;
    Chip single_chip, prompts_chip;
  };
  /// The kernels of a step in which the same nodes share kernels.
  struct Piece {
    std::int32_t kernel_class = -1, attending = -1;  ///< one of the two
  };
  struct Pattern {
    std::vector<Piece> pieces;
    std::vector<Attending> attending;  ///< those that differ
  };
  /// What lies between two kernels of attention, with the host's time from the step's start; `count` of them
  /// one after another, each launched `apart` after the one before.
  struct Stretch {
    Nanoseconds work{0}, latest{0};
    Nanoseconds host{0};          ///< at which the attention behind it was launched
    std::int32_t attending = -1;  ///< that attention, in Pattern::attending; -1: the step ends
    std::int64_t count = 1;
    Nanoseconds apart{0};
  };
  struct Shape {
    std::vector<Stretch> stretches;
    const Pattern* pattern = nullptr;
    Seconds dispatch{0};  ///< of the host, for each kernel
    Seconds gap{0};       ///< before attention
  };
  struct ShapeKey {
    std::int64_t tokens, logit_rows, group_tokens;
    int kind;
    double clock;
    friend bool operator==(const ShapeKey&, const ShapeKey&) = default;
  };
  struct ShapeHash {
    std::size_t operator()(const ShapeKey& k) const;
  };

  bool closed() const;
  const Pattern& pattern_of(const StepTotals& run);
  Shape shape_of(const StepTotals& run, bool is_recorded, double clock);
  Nanoseconds attend(const Attending& a, const Attended& lengths, Seconds gap, double clock) const;
  Nanoseconds time_at(double clock, const StepTotals& asked, const StepTotals& run);

  const Case& case_;
  const Structure& structure_;
  const Calibration& calibration_;
  KernelClasses classes_;
  StepClock clock_;
  std::vector<std::int64_t>
      joins_;  ///< numbers of tokens up to which a node joins another's kernel, or does not yet, sorted
  std::map<std::tuple<std::size_t, bool, int>, Pattern> patterns_;
  std::unordered_map<ShapeKey, Shape, ShapeHash> shapes_;
  std::vector<Nanoseconds> attended_;
};

}  // namespace inferometer
