#include <algorithm>
#include <limits>

#include "model/passes.hpp"

namespace inferometer {
namespace {

/// Whether node `i` alone reads what node i - 1 writes last, of that node's layer: then nobody misses what
/// stays inside the kernel.
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
  if (linear == nullptr || linear->bias) return false;
  return linear->x == linear->w.dtype || (linear->x == DType::bf16 && linear->w.dtype == DType::int4);
}

bool normed(const AnyOperator& op) {
  const auto* norm = std::get_if<RmsNorm>(&op);
  return (norm != nullptr && norm->groups == 1) || std::holds_alternative<AddRmsNorm>(op);
}
bool gated(const AnyOperator& op) { return std::holds_alternative<GatedActivation>(op); }
bool static_quantization(const AnyOperator& op) {
  const auto* quantize = std::get_if<Quantize>(&op);
  return quantize != nullptr && !quantize->dynamic();
}

/// Whether a product at `i` runs with the node before it, and with the one before that where they are joined.
bool product_joins(const Structure& s, std::size_t i, const Plan& plan) {
  const bool quantized = static_quantization(s.nodes[i - 1].op);
  if (quantized && !plan.fusion.quantize) return false;
  if (quantized && s.nodes[i - 1].joins_up_to == 0) return true;
  const AnyOperator& maker = s.nodes[i - (quantized ? 2 : 1)].op;
  return (normed(maker) && plan.fusion.norm_product) || (gated(maker) && plan.fusion.gated_product);
}

}  // namespace

Errors join_kernels(Structure& s, const Architecture&, const Plan& plan) {
  constexpr std::int64_t any = std::numeric_limits<std::int64_t>::max();
  for (std::size_t i = 1; i < s.nodes.size(); ++i) {
    StructureNode& node = s.nodes[i];
    const AnyOperator& before = s.nodes[i - 1].op;
    if (plan.fusion.rope_kv && std::holds_alternative<RopeApply>(before) &&
        std::holds_alternative<KvWrite>(node.op))
      node.joins_up_to = any;
    if (plan.fusion.quantize && static_quantization(node.op) && (normed(before) || gated(before)) &&
        feeds_only(s, i))
      node.joins_up_to = any;
    if (plain_product(node.op) && feeds_only(s, i) && product_joins(s, i, plan)) node.joins_up_to = 1;
    const auto* attention = std::get_if<Attention>(&node.op);
    if (plan.fusion.rope_attention && attention != nullptr && i > 1 &&
        attention->kernel != AttentionKernel::naive && std::holds_alternative<KvWrite>(before) &&
        std::holds_alternative<RopeApply>(s.nodes[i - 2].op)) {
      s.nodes[i - 1].joins_decode = true;
      s.nodes[i].joins_decode = true;
    }
  }
  return {};
}

}  // namespace inferometer
