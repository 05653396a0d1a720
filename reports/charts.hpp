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

/// Distributions over requests of every variant, predicted and executed; empty without completed requests.
std::string ttft_cdf(const StudyResult& study);
std::string tpot_cdf(const StudyResult& study);
std::string e2el_cdf(const StudyResult& study);
/// Running and waiting requests and blocks in use of an instance over the predicted run.
std::string load_chart(const VariantResult& v);
/// Executed steps: predicted against executed time; empty where nothing was executed.
std::string step_scatter(const VariantResult& v);
/// Requests of the predicted run, of two tokens and more, as time to first token against time per output token,
/// coloured by whether they are good, with the limits on the two; empty where there is no service level.
std::string slo_chart(const VariantResult& v);

}  // namespace inferometer
