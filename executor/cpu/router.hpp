#pragma once
#include <cstdint>

#include "model/architecture.hpp"

namespace inferometer::cpu {

/// How experts are chosen; the fields mean what they mean in model/operators/moe.hpp.
struct RouterRule {
  std::int64_t experts = 0, top_k = 0;
  RouterScore score = RouterScore::softmax;
  bool softmax_after_top_k = false, normalize = false;
  std::int64_t groups = 1, top_groups = 1;
  GroupRank group_rank = GroupRank::none;
  float scaling = 1.0F;
};

/// Chooses top_k experts for each token, the largest first, the lower index first among equals.
/// logits [tokens, experts], `stride` from row to row   correction [experts] or null: added for the choice
/// only ids, weights [tokens, top_k]
void route(const RouterRule& rule, const float* logits, std::int64_t stride, const float* correction,
           std::int64_t tokens, std::int32_t* ids, float* weights);

}  // namespace inferometer::cpu
