#include "model/kv_capacity.hpp"

#include <algorithm>

#include "model/memory.hpp"
#include "model/memory_plan.hpp"
#include "model/stages.hpp"

namespace inferometer {
namespace {

/// The step that an engine measures its memory with: prompts as equal as whole tokens allow.
Features largest_step(const Serving& serving, std::int64_t ranks) {
  const std::int64_t tokens = std::max<std::int64_t>(1, serving.max_num_batched_tokens);
  const std::int64_t count = std::clamp<std::int64_t>(serving.max_num_seqs, 1, tokens);
  const AttendedLengths all{.count = count, .fresh = tokens, .all = tokens};
  StepTotals totals{.attended = {}, .logit_rows = count, .group_tokens = ranks > 1 ? ranks * tokens : 0};
  (tokens == count ? totals.attended.single : totals.attended.prompts) = all;
  return alike(totals);
}

/// Of a device that runs all of `structure`.
KvBudget budget_of(const Case& c, const Structure& structure) {
  const Features step = largest_step(c.serving, c.plan.parallel.data);
  const auto share = static_cast<double>(c.serving.gpu_memory_utilization_percent) / 100;
  const auto memory = static_cast<double>(c.cluster.device.memory_capacity.value.value);
  KvBudget budget{.usable = Bytes{static_cast<std::int64_t>(memory * share)},
                  .weights = kept_weight_bytes(c, structure),
                  .activations = plan_memory(structure, step).total + workspace_bytes(structure, step),
                  .sampler = structure.logits < 0 ? Bytes{0}
                                                  : Bytes{c.engine.sampler_bytes_per_logit * step.logit_rows *
                                                          c.model().vocab},
                  .reserve = c.engine.memory_reserve,
                  .block = kv_bytes(structure, c.plan, 1, c.plan.kv.block_tokens)};
  const Bytes left =
      budget.usable - budget.weights - std::max(budget.activations, budget.sampler) - budget.reserve;
  budget.fitting = std::max<std::int64_t>(0, left.value / std::max<std::int64_t>(1, budget.block.value));
  return budget;
}

}  // namespace

KvBudget kv_budget(const Case& c, const Structure& structure) {
  std::vector<KvBudget> budgets;
  for (const Stage& stage : stages_of(structure)) budgets.push_back(budget_of(c, stage.structure));
  KvBudget least = *std::min_element(budgets.begin(), budgets.end(),
                                     [](const auto& a, const auto& b) { return a.fitting < b.fitting; });
  least.blocks = c.serving.kv_blocks > 0 ? c.serving.kv_blocks : least.fitting;
  return least;
}

}  // namespace inferometer
