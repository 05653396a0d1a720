#include "reports/explanation.hpp"

#include <algorithm>
#include <cmath>

namespace inferometer {
namespace {

Nanoseconds rounded(Seconds s) { return Nanoseconds{std::llround(s.count() * 1e9)}; }

/// Sums of one role while the spans are walked.
struct RoleSum {
  RoleTime row;
  Parts parts;
  std::map<Bound, Seconds> bounds;
};

RoleSum& sum_of(std::vector<RoleSum>& sums, std::string_view role) {
  const auto found =
      std::find_if(sums.begin(), sums.end(), [&](const RoleSum& s) { return s.row.role == role; });
  if (found != sums.end()) return *found;
  sums.push_back({.row = {.role = std::string{role}}, .parts = {}, .bounds = {}});
  return sums.back();
}

void finish(RoleSum& s) {
  RoleTime& row = s.row;
  Explanation& e = row.explanation;
  e.flops = rounded(s.parts.flops);
  e.bytes = rounded(s.parts.bytes);
  e.wave = rounded(s.parts.wave);
  e.launch = rounded(s.parts.launch);
  e.overlap_gap = row.predicted - (e.flops + e.bytes + e.wave + e.launch);
  if (row.measured) e.unexplained = *row.measured - row.predicted;
  const auto most = std::max_element(s.bounds.begin(), s.bounds.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most != s.bounds.end()) row.bound = most->first;
}

std::optional<Nanoseconds> minus(std::optional<Nanoseconds> b, std::optional<Nanoseconds> a) {
  return a && b ? std::optional{*b - *a} : std::nullopt;
}

}  // namespace

Explanation& Explanation::operator+=(const Explanation& o) {
  for (const ExplanationPart& part : explanation_parts) this->*part.value += o.*part.value;
  return *this;
}
Explanation& Explanation::operator-=(const Explanation& o) {
  for (const ExplanationPart& part : explanation_parts) this->*part.value -= o.*part.value;
  return *this;
}

std::string row_of(const Structure& structure, std::size_t node, const Features& run) {
  const NodeRange kernel = kernel_of(structure, node, run);
  std::string text;
  for (std::size_t n = kernel.first; n <= kernel.last; ++n)
    text += (text.empty() ? "" : " + ") + std::string{name(structure.nodes[n].role)};
  return text;
}

StepExplanation explain(const Structure& structure, const PhaseResult& phase) {
  std::vector<RoleSum> sums;
  const auto label = [&](std::size_t node) { return row_of(structure, node, phase.run); };
  for (std::size_t i = 0; i < structure.nodes.size(); ++i) {
    const Estimate& e = phase.prediction.nodes[i];
    RoleSum& s = sum_of(sums, label(i));
    ++s.row.count;
    s.row.flops += e.flops;
    s.row.bytes += e.moved;
    s.parts += e.parts;
    s.bounds[e.bound] += e.time();
  }
  const auto role_of = [&](const Span& span) { return label(static_cast<std::size_t>(span.nodes[0])); };
  StepExplanation step;
  Nanoseconds predicted{}, profiled{};
  const auto for_exposed = [&](const Timeline& timeline, auto add) {
    const std::vector<Nanoseconds> times = exposed_times(timeline);
    for (std::size_t i = 0; i < times.size(); ++i) {
      const Span& span = timeline.spans[i];
      if (!span.nodes.empty()) add(sum_of(sums, role_of(span)).row, times[i]);
    }
  };
  for_exposed(phase.prediction.timeline, [&](RoleTime& row, Nanoseconds time) {
    row.predicted += time;
    predicted += time;
  });
  if (phase.profile) {
    for (RoleSum& s : sums) s.row.measured = Nanoseconds{0};
    for_exposed(*phase.profile, [&](RoleTime& row, Nanoseconds time) {
      *row.measured += time;
      profiled += time;
    });
  }
  RoleSum outside{.row = {.role = std::string{StepExplanation::between}}, .parts = {}, .bounds = {}};
  outside.row.predicted = phase.prediction.timeline.end - predicted;
  if (phase.measured) outside.row.measured = phase.measured->median - profiled;
  sums.push_back(std::move(outside));
  step.total.role = "step";
  step.total.predicted = phase.prediction.timeline.end;
  if (phase.measured) step.total.measured = phase.measured->median;
  std::map<Bound, Nanoseconds> bounds;
  for (RoleSum& s : sums) {
    finish(s);
    step.total.count += s.row.count;
    step.total.flops += s.row.flops;
    step.total.bytes += s.row.bytes;
    step.total.explanation += s.row.explanation;
    bounds[s.row.bound] += s.row.predicted;
    step.roles.push_back(std::move(s.row));
  }
  step.total.bound = std::max_element(bounds.begin(), bounds.end(), [](const auto& a, const auto& b) {
                       return a.second < b.second;
                     })->first;
  return step;
}

StepDifference subtract(const StepExplanation& b, const StepExplanation& a) {
  StepDifference result;
  const auto find = [](const StepExplanation& s, const std::string& role) -> RoleTime {
    for (const RoleTime& r : s.roles) {
      if (r.role == role) return r;
    }
    RoleTime none{.role = role};
    if (s.total.measured) none.measured = Nanoseconds{0};
    return none;
  };
  const auto difference = [](const RoleTime& y, const RoleTime& x) {
    Difference d{y.role, y.predicted - x.predicted, minus(y.measured, x.measured), y.explanation};
    d.explanation -= x.explanation;
    return d;
  };
  std::vector<std::string> roles;
  for (const StepExplanation* s : {&b, &a}) {
    for (const RoleTime& r : s->roles) {
      if (r.role != StepExplanation::between && std::find(roles.begin(), roles.end(), r.role) == roles.end())
        roles.push_back(r.role);
    }
  }
  roles.emplace_back(StepExplanation::between);
  for (const std::string& role : roles) result.roles.push_back(difference(find(b, role), find(a, role)));
  result.total = difference(b.total, a.total);
  return result;
}

}  // namespace inferometer
