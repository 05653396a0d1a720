#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "model/names.hpp"
#include "model/units.hpp"

namespace inferometer {

/// When requests arrive.
enum class ArrivalProcess : std::uint8_t {
  recorded,       ///< as the file says
  poisson,        ///< at random, at a rate
  gamma,          ///< gaps of a gamma distribution, whose coefficient of variation is given
  deterministic,  ///< at equal distances
  closed          ///< a new one when one ends, so that a number of them are in the system
};
template <>
struct Names<ArrivalProcess> {
  static constexpr std::array list{
      std::pair{ArrivalProcess::recorded, std::string_view{"recorded"}},
      std::pair{ArrivalProcess::poisson, std::string_view{"poisson"}},
      std::pair{ArrivalProcess::gamma, std::string_view{"gamma"}},
      std::pair{ArrivalProcess::deterministic, std::string_view{"deterministic"}},
      std::pair{ArrivalProcess::closed, std::string_view{"closed"}}};
};

struct ArrivalSpec {
  ArrivalProcess process = ArrivalProcess::recorded;
  double rate = 0;               ///< [requests/s]
  double cv = 1;                 ///< of the gaps (gamma)
  std::int64_t concurrency = 0;  ///< (closed)
};

/// Lengths of prompts or outputs: lognormal with a mean and a coefficient of variation, 0: all equal.
struct LengthSpec {
  double mean = 0;  ///< [tokens]
  double cv = 0;
};

/// Requests from a file or drawn.
struct TrafficSpec {
  std::string file;                          ///< empty: lengths are drawn
  std::optional<LengthSpec> prompt, output;  ///< instead of the file's
  std::int64_t requests = 0;                 ///< at most; 0: all of the file
  ArrivalSpec arrivals;
};

}  // namespace inferometer
