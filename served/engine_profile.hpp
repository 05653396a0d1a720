#pragma once
#include <array>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "model/units.hpp"

namespace inferometer {

/// What is known of an engine beside its plan. As it stands: its host costs nothing, and its kernels take
/// what the models say. A step takes
///   kernels * device + per_step
struct EngineProfile {
  Seconds per_step{0};     ///< host time that the device waits for: scheduling, inputs, handing on of tokens
  double kernels = 1;      ///< what the device takes, relative to the prediction
  Seconds per_request{0};  ///< from the client's sending until the engine has the request
};

/// One of its constants, fitted within a range of what hosts and kernels can take: not of what any
/// measurement says.
struct ProfileConstant {
  std::string_view name, unit, meaning;
  double low, high;  ///< in its unit
  double (*get)(const EngineProfile&);
  void (*set)(EngineProfile&, double);
};
inline constexpr std::array profile_constants{
    ProfileConstant{"per_step", "us", "host time of a step that the device waits for", 0, 20e3,
                    [](const EngineProfile& p) { return p.per_step.count() * 1e6; },
                    [](EngineProfile& p, double us) { p.per_step = Seconds{us * 1e-6}; }},
    ProfileConstant{"kernels", "1", "the device's time for a step, relative to the prediction", 0.7, 1.5,
                    [](const EngineProfile& p) { return p.kernels; },
                    [](EngineProfile& p, double part) { p.kernels = part; }},
    ProfileConstant{"per_request", "ms", "from the client's sending until the engine has the request", 0, 200,
                    [](const EngineProfile& p) { return p.per_request.count() * 1e3; },
                    [](EngineProfile& p, double ms) { p.per_request = Seconds{ms * 1e-3}; }}};

/// Errors of times under a profile, relative to what was measured, one a measured point.
struct ProfileErrors {
  std::vector<double> ttft, tpot;
};
using ProfileTrial = std::function<ProfileErrors(const EngineProfile&)>;

/// The profile with the least soft-L1 loss, each constant within its range: what a step costs the host
/// by the times per token, and with that, what a request does by the times to the first one. Together, a long
/// wait for the first token would be explained by slow steps.
EngineProfile fit_profile(const ProfileTrial& trial);

}  // namespace inferometer
