#include "executor/cpu/supported.hpp"

#include <set>

namespace inferometer::cpu {
namespace {

bool is_one_of(DType dtype, std::initializer_list<DType> list) {
  return std::find(list.begin(), list.end(), dtype) != list.end();
}

/// Inputs and weights of a product, where `op` is one.
struct Formats {
  DType x, w;
};
std::optional<Formats> formats_of(const AnyOperator& op) {
  if (const auto* o = std::get_if<Linear>(&op)) return Formats{o->x, o->w.dtype};
  if (const auto* o = std::get_if<BatchedLinear>(&op)) return Formats{o->x, o->w.dtype};
  if (const auto* o = std::get_if<ExpertLinear>(&op)) return Formats{o->x, o->w.dtype};
  return std::nullopt;
}

}  // namespace

Errors not_executed(const Case& c, const Structure& structure) {
  Errors errors;
  std::set<std::string> told;
  const auto refuse = [&](const std::string& message) {
    if (told.insert(message).second) errors.push_back({"backend cpu: " + message});
  };
  if (c.plan.parallel.tensor > 1) refuse("parallel.tensor: runs on one device only");
  if (c.plan.parallel.pipeline > 1) refuse("parallel.pipeline: runs on one device only");
  if (c.plan.parallel.data > 1) refuse("parallel.data: runs on one device only");
  if (c.workload.copy_beside) refuse("workload.copy_beside: there is no second stream for a copy");
  if (c.plan.kernels.attention == AttentionKernel::cudnn)
    refuse("kernels.attention: cudnn runs on GPUs only; naive and tiled are executed here");
  for (const Buffer& b : structure.buffers) {
    if (!is_one_of(b.dtype, {DType::f32, DType::bf16, DType::int8, DType::i32}))
      refuse("activations in " + std::string{inferometer::name(b.dtype)} +
             " are not executed; f32, bf16 and int8 inputs are");
  }
  for (const StateSpec& s : structure.states) {
    if (!is_one_of(s.dtype, {DType::f32, DType::bf16}))
      refuse("precision.kv: a cache in " + std::string{inferometer::name(s.dtype)} +
             " is not executed; f32 and bf16 are");
  }
  for (const StructureNode& node : structure.nodes) {
    if (node.joins_up_to > 0 || node.joins_decode)
      refuse(
          "fusion.rope_kv, rope_attention, norm_product, norm_epilogue, gated_product, gated_epilogue, "
          "quantize, norm_router, experts: kernels that join operators are not executed");
    if (const auto* linear = std::get_if<Linear>(&node.op); linear != nullptr && linear->residual)
      refuse("fusion.residual_product: products do not take the residual along here");
    const auto formats = formats_of(node.op);
    const bool runs =
        !formats ||
        (formats->x == formats->w && is_one_of(formats->w, {DType::f32, DType::bf16, DType::int8})) ||
        (formats->x == DType::bf16 && formats->w == DType::f32);
    if (!runs) {
      refuse("products of " + std::string{inferometer::name(formats->x)} + " inputs and " +
             std::string{inferometer::name(formats->w)} +
             " weights are not executed; f32, bf16 and int8 by int8 are");
    }
  }
  return errors;
}

}  // namespace inferometer::cpu
