#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "model/names.hpp"
#include "model/units.hpp"

namespace inferometer {

/// When requests arrive; of sessions, their first ones.
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
  double rate = 0;               ///< [1/s]
  double cv = 1;                 ///< of the gaps (gamma)
  std::int64_t concurrency = 0;  ///< (closed)
};

/// Lengths of prompts or outputs: lognormal with a mean and a coefficient of variation, 0: all equal; or
/// uniform, where `most` is above 0.
struct LengthSpec {
  double mean = 0;  ///< [tokens]
  double cv = 0;
  std::int64_t least = 0, most = 0;  ///< [tokens], both among the lengths
};

/// How the numbers of turns are distributed.
enum class TurnCount : std::uint8_t { fixed, geometric };
template <>
struct Names<TurnCount> {
  static constexpr std::array list{std::pair{TurnCount::fixed, std::string_view{"fixed"}},
                                   std::pair{TurnCount::geometric, std::string_view{"geometric"}}};
};

/// Conversations: each turn's prompt is all that was said before and the drawn prompt.
struct SessionSpec {
  double turns = 1;  ///< mean
  TurnCount distribution = TurnCount::fixed;
  Seconds think_time{0};  ///< mean, exponential: from the end of a turn to the next one
};

/// A system prompt before the drawn one.
struct SharedPrefix {
  std::int64_t tokens = 0;
  double share = 1;  ///< of requests, or of sessions, that begin with it
};

/// Requests from a file or drawn.
struct TrafficSpec {
  std::string file;                          ///< empty: lengths are drawn
  std::optional<LengthSpec> prompt, output;  ///< instead of the file's
  std::int64_t requests = 0;                 ///< at most; 0: all of the file
  ArrivalSpec arrivals;
  std::optional<SessionSpec> sessions;        ///< without a file
  std::optional<SharedPrefix> shared_prefix;  ///< without a file
  Seconds client_delay{0};                    ///< as Traffic has it
  std::int64_t block_tokens = 0;  ///< of an identity of a block; 0: as the file's format says, 16 where drawn
};

}  // namespace inferometer
