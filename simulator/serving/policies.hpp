#pragma once
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

#include "model/serving.hpp"

namespace inferometer {

/// What a policy sees of an instance between two steps.
struct QueueView {
  std::int64_t decoding = 0;    ///< sequences whose prompt is in the cache
  std::int64_t prefilling = 0;  ///< those whose prompt is there in part
  std::int64_t waiting = 0;
};

/// What the next step takes. Prompts that were begun go before those that wait, both in order of arrival.
struct Agenda {
  enum class Decodes : std::uint8_t { always, without_prompts };
  Decodes decodes = Decodes::always;  ///< a token of each decoding sequence
  bool prompts = true;                ///< go on with prompts that were begun
  bool admit = true;                  ///< take in what waits
  /// New tokens of the step, those of decoding sequences included.
  std::int64_t tokens = std::numeric_limits<std::int64_t>::max();
};

/// A policy decides from numbers alone, so that it can be read, tested and replaced by itself.
struct Policy {
  BatchingPolicy policy;
  std::string_view summary;  ///< what it does
  std::string_view helps;    ///< when it helps, and when not
  bool chunked;              ///< prompts may be cut to fit a step
  Agenda (*agenda)(const QueueView& view, const Serving& limits);
};
std::span<const Policy> policies();
const Policy& policy_of(BatchingPolicy policy);

}  // namespace inferometer
