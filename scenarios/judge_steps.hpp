#pragma once
#include <string>
#include <vector>

#include "roofline/calibration.hpp"
#include "roofline/steps/step_samples.hpp"
#include "scenarios/step_grid.hpp"

namespace inferometer {

/// A kernel of an executed step beside its prediction.
struct JudgedKernel {
  std::string op;                     ///< that takes most of it
  std::string kernel;                 ///< the operators in it, such as "rms_norm + linear"
  std::int64_t count = 1;             ///< of its kind in the step
  Seconds predicted{0}, measured{0};  ///< exposed, without the gap before it, mean of those; as traced
  double stretch = 1;                 ///< untraced over traced: stretch_of() the step where it multiplies
  double error() const { return predicted / (stretch * measured) - 1; }
};

/// An executed step beside its prediction.
struct JudgedStep {
  std::string model, plan, format, step;
  Seconds predicted{0}, measured{0}, p10{0}, p90{0};
  std::optional<Interval> interval;                       ///< predicted, 90 %
  std::optional<double> predicted_clock, measured_clock;  ///< as parts of the top clock, where known
  bool throttled = false;
  std::vector<JudgedKernel> kernels;  ///< one of each role
  double error() const { return predicted / measured - 1; }
};

/// What a run was predicted to take of the device's memory, and what the backend took.
struct JudgedMemory {
  std::string model, plan, format;
  Bytes predicted{0}, used{0};
  double error() const { return static_cast<double>(predicted.value) / static_cast<double>(used.value) - 1; }
};

struct JudgedGrid {
  std::vector<JudgedStep> steps;
  std::vector<JudgedMemory> memory;
};

/// Predicts every measured step of a grid.
/// errors  a measurement of other kernels than the network has under its plan
[[nodiscard]] Result<JudgedGrid> judge_steps(const StepGrid& grid, const Calibration& calibration);

/// What a measured grid says to fit_steps().
/// errors  as judge_steps()
[[nodiscard]] Result<std::vector<StepSamples>> samples_of(const StepGrid& grid);

/// What each kernel adds to the end of a step, and the gap before it.
std::vector<MeasuredKernel> kernels_of(const Timeline& timeline);

}  // namespace inferometer
