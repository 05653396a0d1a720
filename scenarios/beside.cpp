#include "scenarios/beside.hpp"

#include <algorithm>

#include "scenarios/samples.hpp"

namespace inferometer {

double BesideTimes::overlap() const {
  return static_cast<double>((step_alone + copy_alone - both).count()) /
         static_cast<double>(std::min(step_alone, copy_alone).count());
}

double BesideTimes::stretch() const {
  return static_cast<double>(step.count()) / static_cast<double>(step_alone.count());
}

BesideTimes predict_beside(const Case& c, const Structure& structure, const Features& features,
                           const Calibration& calibration, const Prediction& together) {
  Features without = features;
  without.copy_beside = {};
  const Timeline& timeline = together.timeline;
  const auto copy = std::find_if(timeline.spans.begin(), timeline.spans.end(),
                                 [](const Span& s) { return s.kind == SpanKind::copy; });
  require(copy != timeline.spans.end() && together.copy, "a prediction with a copy beside the step");
  const Nanoseconds copied = copy->start + copy->duration;
  return {.step_alone = predict(c, structure, without, calibration).timeline.end,
          .copy_alone = to_ticks(together.copy->time()),
          .step = timeline.end,
          .copy = copied,
          .both = std::max(timeline.end, copied)};
}

Result<BesideTimes> measure_beside(StepTimer& timer, const Step& step, std::int64_t repeats) {
  Step alone = step;
  alone.copy_beside = {};
  Step copy_only;
  copy_only.copy_beside = step.copy_beside;
  std::vector<Nanoseconds> step_alone, copy_alone, stretched, copied, both;
  for (std::int64_t round = 0; round <= repeats; ++round) {
    if (round == 1) {  // the one before warmed up
      for (auto* times : {&step_alone, &copy_alone, &stretched, &copied, &both}) times->clear();
    }
    Result<Nanoseconds> time = timer.time(alone);
    if (!time) return failure(time.error());
    step_alone.push_back(*time);
    if (time = timer.time(copy_only); !time) return failure(time.error());
    copy_alone.push_back(timer.copied());
    if (time = timer.time(step); !time) return failure(time.error());
    stretched.push_back(*time);
    copied.push_back(timer.copied());
    both.push_back(std::max(*time, timer.copied()));
  }
  const auto median = [](std::vector<Nanoseconds>& times) { return samples_of(std::move(times)).median; };
  return BesideTimes{.step_alone = median(step_alone),
                     .copy_alone = median(copy_alone),
                     .step = median(stretched),
                     .copy = median(copied),
                     .both = median(both)};
}

}  // namespace inferometer
