#include "reports/tracing.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "reports/explanation.hpp"

namespace inferometer {

double Tracing::ratio() const { return Seconds{traced} / Seconds{untraced}; }
Seconds Tracing::per_kernel() const { return Seconds{traced - untraced} / static_cast<double>(kernels); }
KernelPairs Tracing::all() const {
  KernelPairs sum;
  for (const KernelPairs& p : may_overlap) {
    sum.count += p.count;
    sum.apart += p.apart;
  }
  return sum;
}

std::vector<KernelPairs> pairs_of(const Timeline& timeline,
                                  const std::function<std::string(std::size_t node)>& row) {
  std::vector<const Span*> kernels;
  for (const Span& s : timeline.spans) {
    if (!s.nodes.empty()) kernels.push_back(&s);
  }
  std::stable_sort(kernels.begin(), kernels.end(),
                   [](const Span* a, const Span* b) { return a->start < b->start; });
  std::map<std::int32_t, const Span*> last;  // of each stream
  std::vector<KernelPairs> pairs;
  for (const Span* s : kernels) {
    const Span* before = std::exchange(last[s->stream], s);
    if (before == nullptr) continue;
    const auto name = [&](const Span* span) { return row(static_cast<std::size_t>(span->nodes.front())); };
    const std::string first = name(before), second = name(s);
    auto pair = std::find_if(pairs.begin(), pairs.end(),
                             [&](const KernelPairs& p) { return p.first == first && p.second == second; });
    if (pair == pairs.end()) pair = pairs.insert(pairs.end(), {first, second});
    ++pair->count;
    pair->apart += s->start >= before->start + before->duration;
  }
  return pairs;
}

std::optional<Tracing> tracing_of(const VariantResult& v, const PhaseResult& phase) {
  if (!phase.profile || !phase.measured) return std::nullopt;
  const std::vector<Span>& spans = phase.profile->spans;
  Tracing t{
      .traced = phase.profile->end,
      .untraced = phase.measured->median,
      .kernels = std::count_if(spans.begin(), spans.end(), [](const Span& s) { return !s.nodes.empty(); }),
      .may_overlap = {}};
  if (v.settings.plan.launch.overlap)
    t.may_overlap =
        pairs_of(*phase.profile, [&](std::size_t node) { return row_of(v.structure, node, phase.run); });
  return t;
}

std::string tracing_text(const Tracing& t, const Samples& untraced) {
  const auto ms = [](Nanoseconds time) { return std::chrono::duration<double, std::milli>(time).count(); };
  const double each = t.per_kernel().count() * 1e6;
  std::string text = fmt::format(
      "step {:.3f} ms untraced ({:.3f} - {:.3f}, n {}), {:.3f} ms traced: {:.3f} times, {:+.3f} us for each "
      "of "
      "{} kernels{}\n",
      ms(t.untraced), ms(untraced.p10), ms(untraced.p90), untraced.n, ms(t.traced), t.ratio(), each,
      t.kernels,
      each < 0 ? " (negative: a traced step counts from the start of its first kernel to the end of its last)"
               : "");
  const KernelPairs all = t.all();
  if (all.count == 0) return text;
  text +=
      fmt::format("{} of {} pairs of kernels that may overlap ran apart when traced ({:.0f} %)", all.apart,
                  all.count, 100.0 * static_cast<double>(all.apart) / static_cast<double>(all.count));
  std::string_view separator = ": ";
  for (const KernelPairs& p : t.may_overlap) {
    if (p.apart == 0) continue;
    text += fmt::format("{}{} > {} {} of {}", std::exchange(separator, ", "), p.first, p.second, p.apart,
                        p.count);
  }
  return text + "\n";
}

}  // namespace inferometer
