#include "executor/cuda/launch_node.hpp"

#include <algorithm>
#include <span>

#include "executor/cuda/kernels/quantize.hpp"
#include "executor/cuda/launch_attention.hpp"
#include "executor/cuda/launch_experts.hpp"
#include "executor/cuda/launch_product.hpp"
#include "executor/cuda/product_choice.hpp"
#include "executor/cuda/tensor_map.hpp"
#include "model/few_tokens.hpp"

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
      return multiply({.kind = Prologue::Kind::norm, .weight = halves(0), .eps = static_cast<float>(o.eps)});
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
  static bool is_product(const StructureNode& n) {
    return std::holds_alternative<Linear>(n.op) && n.role != Role::router;
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
  /// The product, this node or a joined one, of what the prologue makes of this node's first operand, which
  /// only one of one token has; with the gated activation that is joined behind it, if any, and that one's
  /// Quantize node.
  Done multiply(const Prologue& prologue, std::int64_t tokens = 1) const {
    const bool alone = is_product(node);  // its inputs are as they are
    const auto at = std::find_if(joined.begin(), joined.end(), is_product);
    const StructureNode& to = alone ? node : *at;
    const auto& o = std::get<Linear>(to.op);
    const bool gated = !(alone ? joined.empty() : &joined.back() == &to);
    const StructureNode& last = gated ? joined.back() : to;
    const View& y = last.writes[0];
    const bool quantized = gated && std::holds_alternative<Quantize>(last.op);
    const View& last_read = to.reads.back();
    const Epilogue epilogue{
        .residual = o.residual ? reinterpret_cast<const Bf16*>(address(last_read)) : nullptr,
        .residual_stride = o.residual ? buffer(last_read).columns : 0,
        .gated = gated,
        .y_scale = quantized ? c.scales.scale(y.buffer) : nullptr};
    const Constant& w = c.constants.all[static_cast<std::size_t>(to.weights[0])];
    const bool fp8 = o.w.dtype == DType::fp8;
    const Product p{.x = in(0).data,
                    .w = w.data,
                    .y = address(y),
                    .tokens = tokens,
                    .in = o.in,
                    .out = gated ? o.out / 2 : o.out,
                    .x_stride = in(0).stride,
                    .y_stride = buffer(y).columns,
                    .y_f32 = o.y == DType::f32,
                    .x_scale = fp8 ? c.scales.scale(to.reads[0].buffer) : nullptr,
                    .w_scale = fp8 ? reinterpret_cast<const float*>(w.scales) : nullptr};
    const Norms norms{.out = {}, .in = norm_before()};
    if (tokens > 1 || norms.in.squares != nullptr) {
      require(prologue.kind == Prologue::Kind::none, "a product of several tokens as they are");
      if (o.w.dtype == DType::int4) return stream_int4_product(p, epilogue, norms, int4_weight(w), c.queue);
      if (tokens > few_tokens) return gated_product(p, epilogue, c.queue);
      return stream_product(p, epilogue, norms, c.queue);
    }
    if (fp8 && alone) {
      product_one_token_fp8(in_fp8(p), epilogue, c.queue);
    } else if (fp8) {
      product_one_token_fp8(in_fp8(p), in(0).data, prologue, epilogue, c.queue);
    } else if (o.w.dtype == DType::int4) {
      product_int4_one_token(in_bf16(p), int4_weight(w), prologue, epilogue, c.queue);
    } else {
      product_one_token(in_bf16(p), prologue, epilogue, c.queue);
    }
    return {};
  }
  Done operator()(const AddRmsNorm& o) const {
    if (joins_product()) {  // a step of one token: the row that is wanted is the first
      return multiply({.kind = Prologue::Kind::add_norm,
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
  Done operator()(const Linear& o) const {
    if (!joined.empty() && std::holds_alternative<AddRmsNorm>(joined[0].op)) return product_and_norm(o);
    if (!joined.empty()) return multiply({}, o.tokens);
    Done done = o.w.dtype == DType::int4 ? int4_product(o) : product(o);
    if (o.bias) {
      const Out y = out(0);
      add_bias({.y = y.data,
                .stride = y.stride,
                .f32 = o.y == DType::f32,
                .b = floats(1),
                .tokens = o.tokens,
                .width = o.out},
               c.queue);
    }
    return done;
  }
  Done product(const Linear& o) const {
    const View &x = node.reads[0], &y = node.writes[0];
    const bool fp8 = o.w.dtype == DType::fp8;
    const Product p{.x = address(x),
                    .w = constant(0).data,
                    .y = address(y),
                    .tokens = o.tokens,
                    .in = o.in,
                    .out = o.out,
                    .x_stride = buffer(x).columns,
                    .y_stride = buffer(y).columns,
                    .y_f32 = o.y == DType::f32,
                    .residual = o.residual ? address(node.reads.back()) : nullptr,
                    .residual_stride = o.residual ? buffer(node.reads.back()).columns : 0,
                    .x_scale = fp8 ? c.scales.scale(x.buffer) : nullptr,
                    .w_scale = fp8 ? reinterpret_cast<const float*>(constant(0).scales) : nullptr};
    if (const NormIn in = norm_before(); in.squares != nullptr)
      return stream_product(p, {}, {.out = {}, .in = in}, c.queue);
    const ProductLimits limits{.hopper = c.gpu.hopper(),
                               .aligned = reinterpret_cast<std::uintptr_t>(p.x) % 16 == 0};
    const ProductChoice choice = choose(shape_of(o, p.x_stride, p.y_stride), limits, c.tuning);
    Done done = launch_product(p, choice, c.products, c.queue);
    if (!done && choice.algorithm && o.residual)  // algorithms are timed without one
      done = launch_product(p, {choice.kernel, std::nullopt}, c.products, c.queue);
    if (done || !choice.algorithm) return done;
    return failure(c.tuning.source + ": " + done.error().front().message + "; run `inferometer tune` again");
  }
  /// A product of few tokens with the residual norm that is joined behind it.
  Done product_and_norm(const Linear& o) const {
    const Launch norm{{c, joined[0], {}}};
    const In x = in(0), residual = norm.in(1);
    const Out sum = norm.out(0), y = norm.out(1);
    const Product p{.x = x.data,
                    .w = constant(0).data,
                    .y = y.data,
                    .tokens = o.tokens,
                    .in = o.in,
                    .out = o.out,
                    .x_stride = x.stride,
                    .y_stride = y.stride};
    const NormOut out{.residual = residual.data,
                      .weight = norm.halves(0),
                      .residual_stride = residual.stride,
                      .sum = sum.data,
                      .sum_stride = sum.stride,
                      .squares = c.scratch.squares};
    require(norm_before().squares == nullptr, "a product between two norms, whose squares lie in one place");
    const Norms norms{.out = out, .in = {}};
    if (o.w.dtype == DType::int4) return stream_int4_product(p, {}, norms, int4_weight(constant(0)), c.queue);
    return stream_product(p, {}, norms, c.queue);
  }
  /// Where the norm before this product ran in the one before that, which left its rows to be scaled.
  NormIn norm_before() const {
    if (c.scales.wanted()) return {};  // every node runs by itself then
    const std::vector<StructureNode>& all = c.structure.nodes;
    const auto i = static_cast<std::size_t>(&node - all.data());
    if (!scales_rows(c.structure, i, c.pass.features)) return {};
    const auto& before = std::get<Linear>(c.pass.operators[i - 2]);
    const std::int32_t parts =
        before.w.dtype == DType::int4 ? 0 : streamed_norm_parts(before.out, c.queue.processors);
    return {.squares = c.scratch.squares,
            .parts = parts,
            .eps = static_cast<float>(std::get<AddRmsNorm>(all[i - 1].op).eps)};
  }
  Int4Split int4_split() const { return {.partial = c.scratch.partial, .flags = c.scratch.flags}; }
  Done int4_product(const Linear& o) const {
    const In x = in(0);
    const Out y = out(0);
    Product p{.x = x.data,
              .y = y.data,
              .tokens = o.tokens,
              .in = o.in,
              .out = o.out,
              .x_stride = x.stride,
              .y_stride = y.stride,
              .y_f32 = o.y == DType::f32};
    const Int4Kernel kernel = choose_int4(o, {.hopper = c.gpu.hopper(), .aligned = vectors(x, o.in)});
    const Int4Unit* w = int4_weight(constant(0));
    if (kernel == Int4Kernel::unpacked) {
      unpack_int4(c.scratch.unpacked, w, o.out, o.in, c.queue);
      p.w = c.scratch.unpacked;
      return c.products.multiply(p, c.queue.stream);
    }
    const Norms norms{.out = {}, .in = norm_before()};
    if (kernel == Int4Kernel::streamed || norms.in.squares != nullptr)
      return stream_int4_product(p, {}, norms, w, c.queue);
    if (kernel == Int4Kernel::one_token) {
      product_int4_one_token(in_bf16(p), w, {}, {}, c.queue);
      return {};
    }
    const Result<CUtensorMap> map = tensor_map({.data = p.x,
                                                .rows = p.tokens,
                                                .columns = p.in,
                                                .stride = p.x_stride,
                                                .box_rows = int4_tiled_tile(p.tokens)});
    if (!map) return failure(map.error());
    product_int4_tiled(in_bf16(p), w, *map, int4_split(), c.queue);
    return {};
  }
  Done operator()(const RopeApply& o) const { return turn(*this, o); }
  Done operator()(const KvWrite& o) const { return write_cache(*this, o); }
  Done operator()(const Attention& o) const { return attend(*this, o); }
  Done operator()(const GatedActivation& o) const {
    if (joins_product()) return multiply({.kind = Prologue::Kind::gated, .second = in(1).data});
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
    if (joins_product()) return multiply({});
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
