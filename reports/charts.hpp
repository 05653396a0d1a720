#pragma once
#include <string>

#include "scenarios/study.hpp"

namespace inferometer {

/// Predicted and measured time per step of every variant, one phase, as bars.
std::string step_time_bars(const StudyResult& study, std::size_t phase);
/// The baseline's operators under the roofs of the device: operational intensity [FLOP/B] against attained
/// rate [FLOP/s], both logarithmic.
std::string roofline_chart(const StudyResult& study);
/// One step of every variant as lanes of spans: predicted above measured, on one time axis.
std::string timeline_chart(const StudyResult& study, std::size_t phase);

}  // namespace inferometer
