#include "served/engine_profile.hpp"

#include <algorithm>
#include <cmath>

#include "roofline/fitting/least_squares.hpp"

namespace inferometer {
namespace {

/// Fits some of the constants of `profile` to one of the errors, from where they are.
void fit(EngineProfile& profile, std::span<const ProfileConstant> constants, const ProfileTrial& trial,
         std::vector<double> ProfileErrors::*errors) {
  // Square scale: as many of the cube's parts lie at small constants as at large ones.
  const auto at = [&](const std::vector<double>& place) {
    EngineProfile there = profile;
    for (std::size_t i = 0; i < constants.size(); ++i)
      constants[i].set(there,
                       constants[i].low + place[i] * place[i] * (constants[i].high - constants[i].low));
    return there;
  };
  std::vector<double> start;
  for (const ProfileConstant& c : constants) {
    constexpr double off_zero = 0.1;  // where the square has a slope
    start.push_back(std::max(off_zero, std::sqrt((c.get(profile) - c.low) / (c.high - c.low))));
  }
  // Whole steps make the errors of a simulation rough, and servers of one engine differ: both are of this
  // size.
  const LeastSquaresOptions options{.scale = 0.1, .iterations = 5};
  profile = at(least_squares([&](const std::vector<double>& place) { return trial(at(place)).*errors; },
                             start, options)
                   .at);
}

}  // namespace

EngineProfile fit_profile(const ProfileTrial& trial) {
  constexpr std::span all{profile_constants};
  constexpr std::size_t of_steps = 2;
  EngineProfile profile;
  // Twice, since requests that come later also meet other steps.
  for (int round = 0; round < 2; ++round) {
    fit(profile, all.first(of_steps), trial, &ProfileErrors::tpot);
    fit(profile, all.subspan(of_steps), trial, &ProfileErrors::ttft);
  }
  return profile;
}

}  // namespace inferometer
