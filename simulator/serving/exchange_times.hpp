#pragma once
#include <map>
#include <vector>

#include "model/case.hpp"
#include "model/structure.hpp"
#include "roofline/calibration.hpp"
#include "simulator/serving/spans.hpp"

namespace inferometer {

/// What of a step's time its devices take to exchange what they computed of layers that they share:
/// all-reduce and all-to-all kernels of all layers together. A step costs a whole prediction; steps of as
/// many tokens exchange as much.
class ExchangeTimes {
 public:
  /// requires  the arguments to outlive it
  ExchangeTimes(const Case& c, const Structure& structure, const Calibration& calibration);

  /// stage  of a pipeline; 0 where there is none
  Nanoseconds time(const StepTotals& totals, std::size_t stage = 0);
  /// Tells it to the spans of steps.
  void tell(std::vector<ServedSpan>& spans);

 private:
  const Case& case_;
  const Structure& structure_;
  const Calibration& calibration_;
  bool some_;  ///< whether anything is exchanged
  std::map<std::pair<std::int64_t, std::int64_t>, std::vector<Nanoseconds>>
      known_;  ///< of each stage, by tokens and those of all replicas of attention
};

}  // namespace inferometer
