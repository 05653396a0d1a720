#include "executor/cuda/supported.hpp"

#include <bit>
#include <set>

#include "executor/cuda/kernels/kernels.hpp"
#include "executor/cuda/kernels/products.hpp"

namespace inferometer::cuda {
namespace {

/// Why an operator does not run here, empty where it does.
struct WhyNot {
  std::string operator()(const Linear& o) const {
    return o.x == DType::bf16 && o.w.dtype == DType::bf16
               ? ""
               : "products of " + std::string{name(o.x)} + " inputs and " + std::string{name(o.w.dtype)} +
                     " weights are not executed; bf16 by bf16 is";
  }
  std::string operator()(const Attention& o) const {
    if (o.v_in_k) return "latent attention is not executed";
    return o.v_dim <= 512 ? "" : "attention with values wider than 512 is not executed";
  }
  template <class Op>
  std::string operator()(const Op&) const {
    constexpr bool runs =
        std::is_same_v<Op, Embedding> || std::is_same_v<Op, GatherRows> || std::is_same_v<Op, RmsNorm> ||
        std::is_same_v<Op, AddRmsNorm> || std::is_same_v<Op, RopeApply> || std::is_same_v<Op, KvWrite> ||
        std::is_same_v<Op, GatedActivation> || std::is_same_v<Op, Add> || std::is_same_v<Op, Argmax>;
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

}  // namespace

Errors not_executed(const Case& c, const Structure& structure, const Gpu& gpu) {
  Errors errors;
  std::set<std::string> told;
  const auto refuse = [&](const std::string& message) {
    if (!message.empty() && told.insert(message).second) errors.push_back({"backend cuda: " + message});
  };
  if (c.plan.parallel.tensor > 1) refuse("parallel.tensor: runs on one device only");
  if (!std::has_single_bit(static_cast<std::uint64_t>(c.plan.kv.block_tokens)))
    refuse("kv.block_tokens: " + std::to_string(c.plan.kv.block_tokens) + " is not a power of two");
  for (const Buffer& b : structure.buffers) {
    if (b.dtype != DType::bf16 && b.dtype != DType::f32 && b.dtype != DType::i32)
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
    refuse(std::visit(WhyNot{}, node.op));
    if (const auto* attention = std::get_if<Attention>(&node.op); attention != nullptr && node.joins_decode)
      refuse(why_not_joined(*attention, std::get<RopeApply>(structure.nodes[i - 2].op),
                            c.plan.kv.block_tokens, gpu));
    const auto* product = std::get_if<Linear>(&node.op);
    if (node.joins_up_to == 0 || product == nullptr) continue;
    if (!gpu.hopper()) refuse("fusion.norm_product, gated_product: need compute capability 9.0");
    if (product->in % 8 != 0 || !one_token_fits(product->in))
      refuse("fusion.norm_product, gated_product: products of " + std::to_string(product->in) +
             " inputs are not joined; multiples of 8 that fit shared memory are");
    const auto* gate = std::get_if<GatedActivation>(&structure.nodes[i - 1].op);
    if (gate != nullptr && gate->activation != Activation::silu)
      refuse("fusion.gated_product: joins SiLU only");
  }
  return errors;
}

}  // namespace inferometer::cuda
