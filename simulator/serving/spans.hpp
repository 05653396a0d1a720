#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "model/names.hpp"
#include "model/step.hpp"
#include "model/units.hpp"

namespace inferometer {

/// What a part of a replica (the device, a stage of a pipeline, a replica of attention) did for some time.
struct ServedSpan {
  enum class Kind : std::uint8_t {
    step,    ///< ran it, or its part of it
    bubble,  ///< waited for other parts while the replica had a step under way
    swap     ///< copied blocks over the link to host memory; the step behind it waits
  };
  Kind kind = Kind::step;
  std::int32_t instance = 0;  ///< of its pool
  std::int32_t part = 0;
  Nanoseconds start{0}, end{0};
  std::int64_t steps = 1;   ///< decode steps one after another that differ in lengths alone
  StepTotals totals;        ///< of the last of them
  Nanoseconds exchange{0};  ///< of its time, what ExchangeTimes says
};
template <>
struct Names<ServedSpan::Kind> {
  static constexpr std::array list{std::pair{ServedSpan::Kind::step, std::string_view{"step"}},
                                   std::pair{ServedSpan::Kind::bubble, std::string_view{"bubble"}},
                                   std::pair{ServedSpan::Kind::swap, std::string_view{"swap"}}};
};

/// A cache on its way from one instance to another.
struct SentCache {
  std::int32_t request = 0;
  std::size_t from = 0, to = 0;  ///< instances, counted through all pools
  Nanoseconds start{0}, there{0};
  Bytes bytes{0};
};

/// The first spans of a run, as many as a viewer shows at ease.
template <class Span>
class SpanLog {
 public:
  static constexpr std::size_t most = 10'000;
  void add(const Span& span) {
    if (spans_.size() < most) spans_.push_back(span);
  }
  bool full() const { return spans_.size() == most; }
  const std::vector<Span>& spans() const { return spans_; }
  std::vector<Span>& spans() { return spans_; }

 private:
  std::vector<Span> spans_;
};

}  // namespace inferometer
