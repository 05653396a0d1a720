#include "simulator/serving/exchange_times.hpp"

#include <algorithm>
#include <variant>

#include "simulator/predict.hpp"

namespace inferometer {
namespace {

bool exchanges(const StructureNode& node) {
  return std::holds_alternative<AllReduce>(node.op) || std::holds_alternative<AllToAll>(node.op);
}

}  // namespace

ExchangeTimes::ExchangeTimes(const Case& c, const Structure& structure, const Calibration& calibration)
    : case_(c),
      structure_(structure),
      calibration_(calibration),
      some_(std::any_of(structure.nodes.begin(), structure.nodes.end(), exchanges)) {}

void ExchangeTimes::tell(std::vector<ServedSpan>& spans) {
  const bool stages = case_.plan.parallel.pipeline > 1;
  for (ServedSpan& span : spans) {
    if (span.kind == ServedSpan::Kind::step)
      span.exchange = span.steps * time(span.totals, stages ? static_cast<std::size_t>(span.part) : 0);
  }
}

Nanoseconds ExchangeTimes::time(const StepTotals& totals, std::size_t stage) {
  if (!some_) return Nanoseconds{0};
  const auto [known, is_new] = known_.try_emplace(std::pair{totals.tokens(), totals.group_tokens});
  std::vector<Nanoseconds>& stages = known->second;
  if (!is_new) return stages[stage];
  stages.assign(static_cast<std::size_t>(case_.plan.parallel.pipeline), Nanoseconds{0});
  for (const Span& span : predict(case_, structure_, alike(totals), calibration_).timeline.spans) {
    const bool some = std::any_of(span.nodes.begin(), span.nodes.end(), [&](std::int32_t n) {
      return exchanges(structure_.nodes[static_cast<std::size_t>(n)]);
    });
    if (some) stages[stages.size() > 1 ? static_cast<std::size_t>(span.stream) : 0] += span.duration;
  }
  return stages[stage];
}

}  // namespace inferometer
