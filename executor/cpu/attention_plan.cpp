#include "executor/cpu/attention_plan.hpp"

namespace inferometer::cpu {

std::int64_t attention_tiled_workspace(const AttentionArguments& a) {
  const AttentionPlan plan{a, true};
  const std::int64_t partials = plan.wanted_splits > 1 ? plan.items() * partial_floats(a) : 0;
  return a.threads * thread_floats(a) + partials;
}

std::int64_t attention_naive_workspace(const AttentionArguments& a) {
  std::int64_t scores = 0;
  for (std::int64_t i = 0; i < a.count; ++i) {
    scores += a.heads * a.sequences[i].fresh * score_columns(a, a.sequences[i]);
  }
  return a.threads * thread_floats(a) + scores;
}

}  // namespace inferometer::cpu
