#include "model/timeline.hpp"

#include <algorithm>
#include <numeric>

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

std::vector<Nanoseconds> exposed_times(const Timeline& timeline) {
  std::vector<std::size_t> order(timeline.spans.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return timeline.spans[a].start < timeline.spans[b].start;
  });
  std::vector<Nanoseconds> exposed(order.size(), Nanoseconds{0});
  Nanoseconds reached{0};
  for (const std::size_t i : order) {
    const Span& s = timeline.spans[i];
    if (s.kind == SpanKind::copy) continue;
    const Nanoseconds end = s.start + s.duration;
    exposed[i] = std::max(Nanoseconds{0}, end - std::max(reached, s.start));
    reached = std::max(reached, end);
  }
  return exposed;
}

}  // namespace inferometer
