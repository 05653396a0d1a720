#include <algorithm>
#include <limits>

#include "model/few_tokens.hpp"
#include "model/passes.hpp"

namespace inferometer {
namespace {

/// Whether node `i` alone reads the buffer that node i - 1 writes last: then nobody misses what stays inside
/// the kernel.
bool reads_alone(const Structure& s, std::size_t i) {
  const StructureNode &from = s.nodes[i - 1], &to = s.nodes[i];
  const std::int32_t between = from.writes.back().buffer;
  return from.rows == to.rows && std::none_of(s.nodes.begin(), s.nodes.end(), [&](const StructureNode& n) {
           return &n != &to && std::any_of(n.reads.begin(), n.reads.end(),
                                           [&](const View& v) { return v.buffer == between; });
         });
}
/// Whether it reads all of it as its first operand.
bool feeds_only(const Structure& s, std::size_t i) {
  const std::vector<View>& reads = s.nodes[i].reads;
  return !reads.empty() && reads[0] == s.nodes[i - 1].writes.back() && reads_alone(s, i);
}
/// Whether its two operands are the halves of it.
bool feeds_halves(const Structure& s, std::size_t i) {
  const View& all = s.nodes[i - 1].writes.back();
  const std::int64_t half = all.columns / 2;
  const std::vector<View> halves{{all.buffer, all.offset, half}, {all.buffer, all.offset + half, half}};
  return s.nodes[i].reads == halves && reads_alone(s, i);
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

/// Tokens up to which a product takes the gated activation behind it along in any case.
std::int64_t most_gated(const Linear& product) {
  if (product.w.dtype != DType::int4) return few_tokens;
  return product.in % few_int4_columns == 0 ? few_int4_tokens : 1;
}

/// Tokens up to which a kernel for few of them multiplies and takes norms along; 0 where none does.
std::int64_t most_streamed(const AnyOperator& op) {
  const auto* product = std::get_if<Linear>(&op);
  if (product == nullptr || product->residual || !plain_product(op)) return 0;
  if (product->w.dtype == DType::int4) return product->in % few_int4_columns == 0 ? few_int4_tokens : 0;
  return product->w.dtype == DType::bf16 && product->in % few_columns == 0 ? few_tokens : 0;
}
/// Tokens up to which residual norm `i` runs in the product before it, behind which lies one of the same
/// kernel that alone reads what the norm leaves unscaled.
std::int64_t most_normed(const Structure& s, std::size_t i) {
  if (!std::holds_alternative<AddRmsNorm>(s.nodes[i].op) || i + 1 >= s.nodes.size()) return 0;
  const AnyOperator &before = s.nodes[i - 1].op, &behind = s.nodes[i + 1].op;
  const std::int64_t most = std::min(most_streamed(before), most_streamed(behind));
  if (most == 0 || std::get<Linear>(before).w.dtype != std::get<Linear>(behind).w.dtype) return 0;
  return feeds_only(s, i) && feeds_only(s, i + 1) ? most : 0;
}

/// Whether node `i` chooses experts by the product, by the router's weights, of the rows of the norm before.
bool chooses_for_norm(const Structure& s, std::size_t i) {
  if (i < 2 || !std::holds_alternative<Router>(s.nodes[i].op) || !normed(s.nodes[i - 2].op)) return false;
  const auto* product = std::get_if<Linear>(&s.nodes[i - 1].op);
  return product != nullptr && product->x == DType::bf16 && product->w.dtype == DType::bf16 &&
         product->y == DType::f32 && s.nodes[i - 1].reads[0] == s.nodes[i - 2].writes.back() &&
         feeds_only(s, i);
}

const ExpertLinear* plain_experts(const Structure& s, std::size_t i) {
  const auto* experts = i < s.nodes.size() ? std::get_if<ExpertLinear>(&s.nodes[i].op) : nullptr;
  const bool plain = experts != nullptr && !experts->bias && experts->x == experts->w.dtype &&
                     experts->kernel == ExpertKernel::grouped;
  return plain ? experts : nullptr;
}
/// The sum that ends the mixture whose products of gates and ups, merged, are node `i`; 0 where none does.
std::size_t end_of_mixture(const Structure& s, std::size_t i) {
  if (plain_experts(s, i) == nullptr || i + 3 >= s.nodes.size() || !gated(s.nodes[i + 1].op)) return 0;
  const View &both = s.nodes[i].writes[0], &gate = s.nodes[i + 1].reads[0], &up = s.nodes[i + 1].reads[1];
  if (gate.buffer != both.buffer || up.buffer != both.buffer || gate.offset != 0 ||
      up.offset != gate.columns || up.columns != gate.columns)
    return 0;
  const std::size_t second = i + (static_quantization(s.nodes[i + 2].op) ? 3 : 2);
  if (plain_experts(s, second) == nullptr || second + 1 >= s.nodes.size()) return 0;
  return std::holds_alternative<ExpertCombine>(s.nodes[second + 1].op) ? second + 1 : 0;
}

/// What mixtures of experts join, beside what any network does.
void join_experts(Structure& s, std::size_t i, const Plan& plan) {
  if (plan.fusion.norm_router && chooses_for_norm(s, i)) {
    s.nodes[i - 1].joins_up_to = s.nodes[i].joins_up_to = few_tokens;
    const bool quantized = plan.fusion.quantize && i + 1 < s.nodes.size() &&
                           static_quantization(s.nodes[i + 1].op) &&
                           s.nodes[i + 1].reads[0] == s.nodes[i - 2].writes.back();
    if (quantized) s.nodes[i + 1].joins_up_to = few_tokens;
  }
  const std::size_t end = plan.fusion.experts ? end_of_mixture(s, i) : 0;
  for (std::size_t n = i + 1; n <= end; ++n)
    s.nodes[n].joins_up_to = std::max<std::int64_t>(s.nodes[n].joins_up_to, 1);
}

}  // namespace

Errors join_kernels(Structure& s, const Architecture&, const Plan& plan) {
  if (plan.fusion.gated_product && plan.fusion.gated_epilogue)
    return {
        {"fusion.gated_product, gated_epilogue: the gated activation runs in the product behind it or in "
         "the one before it; leave one out"}};
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
    if (const std::int64_t most = plan.fusion.norm_epilogue ? most_normed(s, i) : 0; most > 0) {
      node.joins_from = 2;
      node.joins_up_to = most;
    }
    if (plain_product(node.op) && feeds_only(s, i) && product_joins(s, i, plan)) node.joins_up_to = 1;
    if (plan.fusion.gated_epilogue && gated(node.op) && plain_product(before) && feeds_halves(s, i)) {
      const auto& product = std::get<Linear>(before);
      node.joins_up_to = most_gated(product);
      node.joins_tiles = product.w.dtype != DType::int4;
    }
    const auto* attention = std::get_if<Attention>(&node.op);
    if (plan.fusion.rope_attention && attention != nullptr && i > 1 &&
        attention->kernel != AttentionKernel::naive && std::holds_alternative<KvWrite>(before) &&
        std::holds_alternative<RopeApply>(s.nodes[i - 2].op)) {
      s.nodes[i - 1].joins_decode = true;
      s.nodes[i].joins_decode = true;
    }
  }
  for (std::size_t i = 0; i < s.nodes.size(); ++i) join_experts(s, i, plan);
  return {};
}

}  // namespace inferometer
