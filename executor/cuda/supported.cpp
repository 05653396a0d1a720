#include "executor/cuda/supported.hpp"

#include <bit>
#include <set>

#include "executor/cuda/cudnn/prompt_attention.hpp"
#include "executor/cuda/kernels/experts.hpp"
#include "executor/cuda/kernels/int4.hpp"
#include "executor/cuda/kernels/kernels.hpp"
#include "executor/cuda/kernels/products_fp8.hpp"
#include "model/graph.hpp"

namespace inferometer::cuda {
namespace {

/// Why cuDNN does not attend prompts.
std::string why_not_cudnn(const Attention& o) {
  const std::string at = "kernels.attention: cudnn: ";
  if (const std::string missing = cudnn_missing(); !missing.empty()) return at + "not built: " + missing;
  if (o.sinks) return at + "attention sinks are not executed; kernels.attention: tiled has them";
  if (o.kv_dtype != DType::bf16)
    return at + "reads keys and values as they were computed, in bf16; the cache is in " +
           std::string{name(o.kv_dtype)};
  return o.head_dim == 64 || o.head_dim == 128
             ? ""
             : at + "heads of " + std::to_string(o.head_dim) + " are not executed; heads of 64 and 128 are";
}

/// Why an operator does not run here, empty where it does.
struct WhyNot {
  const Gpu& gpu;
  bool recorded = false;

  std::string operator()(const Linear& o) const {
    if (o.x == DType::bf16 && (o.w.dtype == DType::bf16 || o.w.dtype == DType::int4)) return "";
    if (o.x != DType::fp8 || o.w.dtype != DType::fp8) {
      return "products of " + std::string{name(o.x)} + " inputs and " + std::string{name(o.w.dtype)} +
             " weights are not executed; bf16 by bf16, bf16 by int4 and fp8 by fp8 are";
    }
    if (!gpu.hopper()) return "fp8 products need compute capability 9.0";
    return o.in % 16 == 0 && o.out % 16 == 0
               ? ""
               : "fp8 products of " + std::to_string(o.in) + " inputs and " + std::to_string(o.out) +
                     " outputs are not executed; multiples of 16 are";
  }
  std::string operator()(const Quantize& o) const {
    return !o.dynamic() ? "" : "dynamic quantization of inputs is not executed; static (fp8) is";
  }
  std::string operator()(const Attention& o) const {
    if (o.v_in_k) return "latent attention is not executed";
    if (o.kernel == AttentionKernel::cudnn) return why_not_cudnn(o);
    return o.v_dim <= 512 ? "" : "attention with values wider than 512 is not executed";
  }
  std::string operator()(const Router& o) const {
    return o.experts <= most_experts && o.top_k <= most_chosen && o.groups <= most_expert_groups
               ? ""
               : "routing among more than " + std::to_string(most_experts) + " experts in " +
                     std::to_string(most_expert_groups) + " groups, or to more than " +
                     std::to_string(most_chosen) + " of them, is not executed";
  }
  std::string operator()(const ExpertLinear& o) const {
    if (o.kernel == ExpertKernel::loop) {
      if (recorded)
        return "kernels.experts: loop waits for the routing on the host and cannot be recorded; set "
               "launch.graphs to false, or take grouped";
      return o.x == DType::bf16 && o.w.dtype == DType::bf16
                 ? ""
                 : "kernels.experts: loop is executed in bf16 only; grouped in fp8 too";
    }
    if (!gpu.hopper()) return "kernels.experts: grouped needs compute capability 9.0";
    if (o.x != o.w.dtype || (o.x != DType::bf16 && o.x != DType::fp8))
      return "products of experts of " + std::string{name(o.x)} + " inputs and " +
             std::string{name(o.w.dtype)} + " weights are not executed; bf16 by bf16 and fp8 by fp8 are";
    return size_of(o.in, o.x).value % 16 == 0
               ? ""
               : "products of experts of " + std::to_string(o.in) +
                     " inputs are not executed; rows of a multiple of 16 bytes are";
  }
  template <class Op>
  std::string operator()(const Op&) const {
    constexpr bool runs = std::is_same_v<Op, Embedding> || std::is_same_v<Op, GatherRows> ||
                          std::is_same_v<Op, RmsNorm> || std::is_same_v<Op, AddRmsNorm> ||
                          std::is_same_v<Op, RopeApply> || std::is_same_v<Op, KvWrite> ||
                          std::is_same_v<Op, GatedActivation> || std::is_same_v<Op, Add> ||
                          std::is_same_v<Op, Argmax> || std::is_same_v<Op, ExpertCombine>;
    return runs ? "" : std::string{Op::name} + " is not executed";
  }
};

/// Why attention does not take the rotary embedding and the cache write before it along.
std::string why_not_joined(const Attention& o, const RopeApply& rope, std::int64_t block_tokens,
                           const Gpu& gpu) {
  if (!gpu.hopper()) return "fusion.rope_attention: needs compute capability 9.0";
  if (!attention_tiles({.block_tokens = static_cast<std::int32_t>(block_tokens),
                        .head_dim = static_cast<std::int32_t>(o.head_dim),
                        .v_dim = static_cast<std::int32_t>(o.v_dim)}))
    return "fusion.rope_attention: heads of " + std::to_string(o.head_dim) + " in blocks of " +
           std::to_string(block_tokens) +
           " tokens are not joined; heads of 64 and 128 in blocks of 8 or more are";
  if (o.heads / o.kv_heads > decode_rows)
    return "fusion.rope_attention: at most " + std::to_string(decode_rows) + " query heads share a key head";
  return rotates_in_attention(rope.rotary) ? ""
                                           : "fusion.rope_attention: " + std::to_string(rope.rotary) +
                                                 " rotated elements are not joined; multiples of 8 are";
}

/// Why a residual norm, or a node of a mixture of experts, which the plan joins, is not.
std::string why_not_joined(const Structure& s, std::size_t i, const Gpu& gpu) {
  const AnyOperator& op = s.nodes[i].op;
  if (std::holds_alternative<AddRmsNorm>(op))
    return gpu.hopper() ? "" : "fusion.norm_epilogue: needs compute capability 9.0";
  if (std::holds_alternative<Router>(op)) {
    if (!gpu.hopper()) return "fusion.norm_router: needs compute capability 9.0";
    const std::int64_t width = std::get<Linear>(s.nodes[i - 1].op).in;
    return norm_route_fits(width) ? ""
                                  : "fusion.norm_router: rows of " + std::to_string(width) +
                                        " are not joined; multiples of 8 up to 8192 are";
  }
  if (!std::holds_alternative<ExpertCombine>(op)) return "";
  const std::size_t first = kernel_of(s, i, {.tokens = 1}).first;
  const auto& down = std::get<ExpertLinear>(s.nodes[i - 1].op);
  if (std::get<GatedActivation>(s.nodes[first + 1].op).activation != Activation::silu)
    return "fusion.experts: joins SiLU only";
  return one_token_experts_fit(down.out, down.in, down.top_k, down.x == DType::fp8)
             ? ""
             : "fusion.experts: " + std::to_string(down.top_k) + " rows of " +
                   std::to_string(size_of(down.in, down.x).value) +
                   " bytes are not joined; rows of a multiple of 16 bytes that fit shared memory are";
}

/// Why the product before gated activation `i` does not take it along.
std::string why_not_gated(const Structure& s, std::size_t i) {
  if (std::get<GatedActivation>(s.nodes[i].op).activation != Activation::silu)
    return "fusion.gated_epilogue: joins SiLU only";
  const auto& product = std::get<Linear>(s.nodes[i - 1].op);
  if (product.w.dtype != DType::int4) return "";
  if (i + 1 < s.nodes.size() && s.nodes[i + 1].joins_up_to > 0)
    return "fusion.gated_epilogue: values that int4 products make are not quantised inside";
  // Rows of gate and up have the same place in a unit of 32.
  return product.out / 2 % 32 == 0
             ? ""
             : "fusion.gated_epilogue: int4 products of twice " + std::to_string(product.out / 2) +
                   " outputs are not joined; multiples of 32 are";
}

}  // namespace

Errors not_executed(const Case& c, const Structure& structure, const Gpu& gpu) {
  Errors errors;
  std::set<std::string> told;
  const auto refuse = [&](const std::string& message) {
    if (!message.empty() && told.insert(message).second) errors.push_back({"backend cuda: " + message});
  };
  if (c.plan.parallel.tensor > 1) refuse("parallel.tensor: runs on one device only");
  if (c.plan.parallel.pipeline > 1) refuse("parallel.pipeline: runs on one device only");
  if (c.plan.parallel.data > 1) refuse("parallel.data: runs on one device only");
  if (!std::has_single_bit(static_cast<std::uint64_t>(c.plan.kv.block_tokens)))
    refuse("kv.block_tokens: " + std::to_string(c.plan.kv.block_tokens) + " is not a power of two");
  for (const Buffer& b : structure.buffers) {
    if (b.dtype != DType::bf16 && b.dtype != DType::fp8 && b.dtype != DType::f32 && b.dtype != DType::i32)
      refuse("activations in " + std::string{name(b.dtype)} + " are not executed; bf16 are");
  }
  if (c.plan.precision.activations.value != DType::bf16)
    refuse("activations in " + std::string{name(c.plan.precision.activations.value)} +
           " are not executed; bf16 are");
  for (const StateSpec& s : structure.states) {
    if (s.dtype != DType::bf16 && s.dtype != DType::fp8)
      refuse("precision.kv: a cache in " + std::string{name(s.dtype)} + " is not executed; bf16 and fp8 are");
  }
  for (std::size_t i = 0; i < structure.nodes.size(); ++i) {
    const StructureNode& node = structure.nodes[i];
    refuse(std::visit(WhyNot{gpu, c.plan.launch.graphs}, node.op));
    if (const auto* attention = std::get_if<Attention>(&node.op); attention != nullptr && node.joins_decode)
      refuse(why_not_joined(*attention, std::get<RopeApply>(structure.nodes[i - 2].op),
                            c.plan.kv.block_tokens, gpu));
    if (node.joins_up_to > 0) refuse(why_not_joined(structure, i, gpu));
    const auto* product = std::get_if<Linear>(&node.op);
    if (product == nullptr || node.role == Role::router) continue;
    const bool gated = i + 1 < structure.nodes.size() && structure.nodes[i + 1].joins_up_to > 0 &&
                       std::holds_alternative<GatedActivation>(structure.nodes[i + 1].op);
    if (gated) refuse(why_not_gated(structure, i + 1));
    if (node.joins_up_to == 0 && !gated) continue;
    if (!gpu.hopper())
      refuse("fusion.norm_product, gated_product, gated_epilogue, quantize: need compute capability 9.0");
    const bool fits = product->w.dtype == DType::int4  ? int4_one_token_fits(product->in)
                      : product->w.dtype == DType::fp8 ? one_token_fp8_fits(product->in)
                                                       : one_token_fits(product->in);
    if (product->in % 8 != 0 || !fits)
      refuse("fusion.norm_product, gated_product, gated_epilogue, quantize: products of " +
             std::to_string(product->in) +
             " inputs are not joined; multiples of 8 that fit shared memory are");
    const auto* gate =
        std::get_if<GatedActivation>(&structure.nodes[kernel_of(structure, i, {.tokens = 1}).first].op);
    if (gate != nullptr && gate->activation != Activation::silu)
      refuse("fusion.gated_product: joins SiLU only");
  }
  return errors;
}

}  // namespace inferometer::cuda
