#include <algorithm>
#include <limits>

#include "model/passes.hpp"

namespace inferometer {
namespace {

/// Whether node `i` alone reads what node i - 1 writes last, of that node's layer, and in formats that are
/// not quantised: then nobody misses what stays inside the kernel.
bool feeds_only(const Structure& s, std::size_t i) {
  const StructureNode &from = s.nodes[i - 1], &to = s.nodes[i];
  const View& between = from.writes.back();
  if (from.rows != to.rows || to.reads.empty() || !(to.reads[0] == between)) return false;
  return std::none_of(s.nodes.begin(), s.nodes.end(), [&](const StructureNode& n) {
    return &n != &to && std::any_of(n.reads.begin(), n.reads.end(),
                                    [&](const View& v) { return v.buffer == between.buffer; });
  });
}

bool plain_product(const AnyOperator& op) {
  const auto* linear = std::get_if<Linear>(&op);
  return linear != nullptr && linear->x == linear->w.dtype && !linear->bias;
}

}  // namespace

Errors join_kernels(Structure& s, const Architecture&, const Plan& plan) {
  for (std::size_t i = 1; i < s.nodes.size(); ++i) {
    const AnyOperator &before = s.nodes[i - 1].op, &op = s.nodes[i].op;
    const auto* norm = std::get_if<RmsNorm>(&before);
    const bool normed = (norm != nullptr && norm->groups == 1) || std::holds_alternative<AddRmsNorm>(before);
    const bool gated = std::holds_alternative<GatedActivation>(before);
    if (plan.fusion.rope_kv && std::holds_alternative<RopeApply>(before) &&
        std::holds_alternative<KvWrite>(op))
      s.nodes[i].joins_up_to = std::numeric_limits<std::int64_t>::max();
    const auto* attention = std::get_if<Attention>(&op);
    if (plan.fusion.rope_attention && attention != nullptr && i > 1 &&
        attention->kernel == AttentionKernel::tiled && std::holds_alternative<KvWrite>(before) &&
        std::holds_alternative<RopeApply>(s.nodes[i - 2].op)) {
      s.nodes[i - 1].joins_decode = true;
      s.nodes[i].joins_decode = true;
    }
    const bool wanted = (normed && plan.fusion.norm_product) || (gated && plan.fusion.gated_product);
    if (wanted && plain_product(op) && feeds_only(s, i)) s.nodes[i].joins_up_to = 1;
  }
  return {};
}

}  // namespace inferometer
