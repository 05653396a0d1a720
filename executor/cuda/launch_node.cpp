#include "executor/cuda/launch_node.hpp"

#include <algorithm>
#include <span>

#include "executor/cuda/kernels/quantize.hpp"
#include "executor/cuda/launch_attention.hpp"
#include "executor/cuda/launch_experts.hpp"
#include "executor/cuda/launch_linear.hpp"

namespace inferometer::cuda {
namespace {

Gate gate_of(Activation activation) {
  switch (activation) {
    case Activation::silu:
      return Gate::silu;
    case Activation::gelu_tanh:
      return Gate::gelu_tanh;
    case Activation::clamped_silu:
      return Gate::clamped_silu;
  }
  return Gate::silu;
}

/// Calls the kernel of each operator with the views of one node.
struct Launch : NodeViews {
  Done operator()(const Embedding& o) const {
    gather({.x = {halves(0), o.width},
            .rows = c.inputs.tokens(),
            .y = out(0),
            .count = o.tokens,
            .width = o.width},
           c.queue);
    return {};
  }
  Done operator()(const GatherRows& o) const {
    gather({.x = in(0), .rows = c.inputs.logit_rows(), .y = out(0), .count = o.tokens, .width = o.width},
           c.queue);
    return {};
  }
  Done operator()(const RmsNorm& o) const {
    if (joins_product()) {
      return multiply_joined(
          *this, {.kind = Prologue::Kind::norm, .weight = halves(0), .eps = static_cast<float>(o.eps)});
    }
    if (routes()) {
      return norm_and_route({.x = in(0),
                             .w = halves(0),
                             .y = out(0),
                             .tokens = o.tokens,
                             .width = o.width,
                             .eps = static_cast<float>(o.eps)});
    }
    rms_norm({.x = in(0),
              .w = halves(0),
              .y = out(0),
              .tokens = o.tokens,
              .groups = o.groups,
              .width = o.width,
              .eps = static_cast<float>(o.eps),
              .q = quantized()},
             c.queue);
    return {};
  }
  bool joins_product() const { return std::any_of(joined.begin(), joined.end(), is_product); }
  /// Where a Quantize node writes, with the scale of its values.
  QuantizedOut quantized_by(const StructureNode& n) const {
    const View& q = n.writes[0];
    return {reinterpret_cast<std::uint8_t*>(address(q)), buffer(q).columns, c.scales.scale(q.buffer)};
  }
  /// The same of the one that is joined, if any.
  QuantizedOut quantized() const {
    const bool any = !joined.empty() && std::holds_alternative<Quantize>(joined.front().op);
    return any ? quantized_by(joined.front()) : QuantizedOut{};
  }
  Done operator()(const AddRmsNorm& o) const {
    if (joins_product()) {  // a step of one token: the row that is wanted is the first
      return multiply_joined(*this, {.kind = Prologue::Kind::add_norm,
                                     .second = in(1).data,
                                     .weight = halves(0),
                                     .sum = out(0).data,
                                     .eps = static_cast<float>(o.eps)});
    }
    AddRmsNormArguments norm{.x = in(0),
                             .residual = in(1),
                             .w = halves(0),
                             .sum = out(0),
                             .y = out(1),
                             .tokens = o.tokens,
                             .width = o.width,
                             .eps = static_cast<float>(o.eps),
                             .rows = o.gathered ? c.inputs.logit_rows() : nullptr};
    if (routes()) {
      require(!o.gathered, "a norm of all rows before a router");
      return norm_and_route(norm);
    }
    norm.q = quantized();
    add_rms_norm(norm, c.queue);
    return {};
  }
  bool routes() const { return joined.size() > 1 && std::holds_alternative<Router>(joined[1].op); }
  /// The router's product, the choice and, where it is joined, the quantization of the norm's rows.
  Done norm_and_route(AddRmsNormArguments norm) const {
    if (joined.size() > 2) norm.q = quantized_by(joined[2]);
    const Launch product{{c, joined[0], {}}}, choice{{c, joined[1], {}}};
    norm_route({.norm = norm,
                .w = product.halves(0),
                .bias = joined[0].weights.size() > 1 ? product.floats(1) : nullptr,
                .router = choice.routing(std::get<Router>(joined[1].op)),
                .groups = c.experts.groups},
               c.queue);
    return {};
  }
  Done operator()(const Linear& o) const { return multiply(*this, o); }
  Done operator()(const RopeApply& o) const { return turn(*this, o); }
  Done operator()(const KvWrite& o) const { return write_cache(*this, o); }
  Done operator()(const Attention& o) const { return attend(*this, o); }
  Done operator()(const GatedActivation& o) const {
    if (joins_product()) return multiply_joined(*this, {.kind = Prologue::Kind::gated, .second = in(1).data});
    gated({.gate = in(0),
           .up = in(1),
           .y = out(0),
           .activation = gate_of(o.activation),
           .tokens = o.tokens,
           .width = o.width,
           .q = quantized()},
          c.queue);
    return {};
  }
  Done operator()(const Quantize& o) const {
    if (joins_product()) return multiply_joined(*this, {});
    float* scale = c.scales.scale(node.writes[0].buffer);
    if (c.scales.wanted()) find_input_scale(in(0), o.tokens, o.width, scale, c.queue);
    quantize_fp8({.x = in(0), .q = quantized_by(node), .tokens = o.tokens, .width = o.width}, c.queue);
    return {};
  }
  Done operator()(const Add& o) const {
    add({.x = in(0), .r = in(1), .y = out(0), .tokens = o.tokens, .width = o.width}, c.queue);
    return {};
  }
  Done operator()(const Router& o) const {
    route_and_group(c, routing(o));
    return {};
  }
  RouterArguments routing(const Router& o) const {
    RouterArguments a = routing_rule(o);
    const In logits = in(0);
    a.logits = reinterpret_cast<const float*>(logits.data);
    a.stride = logits.stride;
    a.correction = o.correction ? floats(0) : nullptr;
    a.ids = reinterpret_cast<std::int32_t*>(address(node.writes[0]));
    a.weights = reinterpret_cast<float*>(address(node.writes[1]));
    return a;
  }
  Done operator()(const ExpertLinear& o) const {
    if (!joined.empty()) return whole_mixture(o);
    const In x = in(0);
    return multiply_experts(c, {.op = o,
                                .w = constant(0),
                                .x_scale = o.x == DType::fp8 ? c.scales.scale(node.reads[0].buffer) : nullptr,
                                .bias = o.bias ? floats(1) : nullptr,
                                .x = x.data,
                                .x_stride = x.stride,
                                .y = out(0)});
  }
  /// One token's, up to the sum that ends it.
  Done whole_mixture(const ExpertLinear& o) const {
    const StructureNode &last = joined[joined.size() - 2], &sum = joined.back();
    const auto& down = std::get<ExpertLinear>(last.op);
    const Launch second{{c, last, {}}};
    one_token_experts({.x = address(node.reads[0]),
                       .ids = reinterpret_cast<const std::int32_t*>(address(node.reads[1])),
                       .weights = reinterpret_cast<const float*>(address(sum.reads[1])),
                       .gate_up = constant(0).data,
                       .down = second.constant(0).data,
                       .x_scale = c.scales.scale(node.reads[0].buffer),
                       .h_scale = c.scales.scale(last.reads[0].buffer),
                       .gate_up_scales = reinterpret_cast<const float*>(constant(0).scales),
                       .down_scales = reinterpret_cast<const float*>(second.constant(0).scales),
                       .h = address(last.reads[0]),
                       .y = reinterpret_cast<Bf16*>(address(sum.writes[0])),
                       .counters = c.scratch.flags,
                       .top_k = static_cast<std::int32_t>(o.top_k),
                       .width = static_cast<std::int32_t>(down.in),
                       .out = static_cast<std::int32_t>(down.out),
                       .fp8 = o.x == DType::fp8},
                      c.queue);
    return {};
  }
  Done operator()(const ExpertCombine& o) const {
    combine_experts({.x = in(0),
                     .weights = reinterpret_cast<const float*>(address(node.reads[1])),
                     .y = out(0),
                     .tokens = o.tokens,
                     .width = o.width,
                     .top_k = static_cast<std::int32_t>(o.top_k)},
                    c.queue);
    return {};
  }
  Done operator()(const Argmax& o) const {
    const In x = in(0);
    argmax({.x = reinterpret_cast<const float*>(x.data),
            .stride = x.stride,
            .ids = reinterpret_cast<std::int32_t*>(address(node.writes[0])),
            .tokens = o.tokens,
            .width = o.vocab,
            .largest = c.scratch.largest,
            .ended = c.scratch.ended},
           c.queue);
    return {};
  }
  template <class Op>
  Done operator()(const Op&) const {
    require(false, "an operator that supported.cpp refuses");
    return {};
  }
};

}  // namespace

Done launch_nodes(const NodeContext& context, NodeRange nodes) {
  const std::span<const StructureNode> all{context.structure.nodes};
  const Launch launch{{context, all[nodes.first], all.subspan(nodes.first + 1, nodes.last - nodes.first)}};
  return std::visit(launch, context.pass.operators[nodes.first]);
}

}  // namespace inferometer::cuda
