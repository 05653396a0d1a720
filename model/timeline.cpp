#include "model/timeline.hpp"

#include <algorithm>

namespace inferometer {

Nanoseconds busy_time(const Timeline& timeline) {
  std::vector<std::pair<Nanoseconds, Nanoseconds>> runs;
  for (const Span& s : timeline.spans) {
    if (s.kind != SpanKind::gap && s.kind != SpanKind::host) runs.emplace_back(s.start, s.start + s.duration);
  }
  std::sort(runs.begin(), runs.end());
  Nanoseconds busy{0}, reached = Nanoseconds::min();
  for (const auto& [start, end] : runs) {
    const Nanoseconds from = std::max(start, reached);
    if (end > from) busy += end - from;
    reached = std::max(reached, end);
  }
  return busy;
}

}  // namespace inferometer
