#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/units.hpp"

namespace inferometer {

enum class SpanKind : std::uint8_t { kernel, gap, host, copy, sampling };

/// A predicted time's 90 % interval.
struct Interval {
  Nanoseconds low{}, high{};
};
/// What repeated measurement of one span gave.
struct Samples {
  std::int64_t n = 0;
  Nanoseconds median{}, p10{}, p90{};
};

/// Something that occupied a stream. Nodes and spans are many-to-many: split-KV attention is several kernels
/// for one node, a fused kernel is one for several; a gap belongs to none.
struct Span {
  std::vector<std::int32_t> nodes;
  SpanKind kind = SpanKind::kernel;
  std::int32_t device = 0, stream = 0;
  Nanoseconds start{}, duration{};
  std::string kernel;
  std::optional<Interval> interval;        ///< predicted spans, once there is evidence
  std::optional<Samples> samples;          ///< measured spans
  std::map<std::string, double> counters;  ///< measured, unit in the name: dram_read_bytes
};

/// One step as spans; they may overlap.
struct Timeline {
  std::vector<Span> spans;
  Nanoseconds end{};  ///< the step's time, from its start at 0; a copy beside it may end later
};

/// Time in which at least one span that is not a gap or host work is running: the union, never the sum.
Nanoseconds busy_time(const Timeline& timeline);

/// How much later the timeline ends for each span: from the end of all that started before it, or from its
/// own start, to its own end. A kernel that was set up early and waited counts from when it could have run;
/// what runs in another's shadow counts nothing, nor does a copy beside the step. With the gaps these add up
/// to the end of a timeline without holes.
std::vector<Nanoseconds> exposed_times(const Timeline& timeline);

}  // namespace inferometer
