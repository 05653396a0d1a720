#include "executor/cuda/launch_linear.hpp"

#include <algorithm>

#include "executor/cuda/launch_product.hpp"
#include "executor/cuda/product_choice.hpp"
#include "executor/cuda/tensor_map.hpp"
#include "model/few_tokens.hpp"
#include "model/product_behind.hpp"

namespace inferometer::cuda {
namespace {

/// Products of weights, with what runs in their kernels.
struct Products : NodeViews {
  /// The product, this node or a joined one, of what the prologue makes of this node's first operand, which
  /// only one of one token has; with the gated activation that is joined behind it, if any, and that one's
  /// Quantize node.
  Done joined_product(const Prologue& prologue, std::int64_t tokens) const {
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
      if (o.w.dtype == DType::int4) return stream_int4_product(p, epilogue, norms, streamed(w), c.queue);
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
  Done multiply(const Linear& o) const {
    if (!joined.empty() && std::holds_alternative<AddRmsNorm>(joined[0].op)) return product_and_norm(o);
    if (!joined.empty()) return joined_product({}, o.tokens);
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
  /// Of this node's first operand; without weights.
  Product plain(const Linear& o, const Out& y) const {
    return {.x = in(0).data,
            .y = y.data,
            .tokens = o.tokens,
            .in = o.in,
            .out = o.out,
            .x_stride = in(0).stride,
            .y_stride = y.stride,
            .y_f32 = o.y == DType::f32};
  }
  Done product(const Linear& o) const {
    Product p = plain(o, out(0));
    p.w = constant(0).data;
    if (o.residual) {
      const In residual = in(node.reads.size() - 1);
      p.residual = residual.data;
      p.residual_stride = residual.stride;
    }
    if (o.w.dtype == DType::fp8) {
      p.x_scale = c.scales.scale(node.reads[0].buffer);
      p.w_scale = reinterpret_cast<const float*>(constant(0).scales);
    }
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
    const NodeViews norm{c, joined[0], {}};
    const In residual = norm.in(1);
    const Out sum = norm.out(0);
    Product p = plain(o, norm.out(1));
    p.w = constant(0).data;
    const NormOut out{.residual = residual.data,
                      .weight = norm.halves(0),
                      .residual_stride = residual.stride,
                      .sum = sum.data,
                      .sum_stride = sum.stride,
                      .squares = c.scratch.squares};
    require(norm_before().squares == nullptr, "a product between two norms, whose squares lie in one place");
    const Norms norms{.out = out, .in = {}};
    if (o.w.dtype == DType::int4) return stream_int4_product(p, {}, norms, streamed(constant(0)), c.queue);
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
  /// With what the kernel behind this one streams, if kernels overlap. Where each is timed and counted by
  /// itself, they do not: what it reads is then no other's.
  Int4Stream streamed(const Constant& w) const {
    const Int4Stream alone{.w = int4_weight(w)};
    if (!c.queue.overlap || c.scales.wanted()) return alone;
    const std::vector<StructureNode>& all = c.structure.nodes;
    const StructureNode& last = joined.empty() ? node : joined.back();
    const auto behind =
        product_behind(c.structure, static_cast<std::size_t>(&last - all.data()), c.pass.features);
    if (!behind) return alone;
    const auto& o = std::get<Linear>(all[*behind].op);
    if (o.w.dtype != DType::int4) return alone;
    const Constant& next = c.constants.all[static_cast<std::size_t>(all[*behind].weights[0])];
    return {.w = alone.w, .next = next_int4(int4_weight(next), o.out, o.in)};
  }
  Done int4_product(const Linear& o) const {
    const In x = in(0);
    Product p = plain(o, out(0));
    const Int4Kernel kernel = choose_int4(o, {.hopper = c.gpu.hopper(), .aligned = vectors(x, o.in)});
    const Int4Unit* w = int4_weight(constant(0));
    if (kernel == Int4Kernel::unpacked) {
      unpack_int4(c.scratch.unpacked, w, o.out, o.in, c.queue);
      p.w = c.scratch.unpacked;
      return c.products.multiply(p, c.queue.stream);
    }
    const Norms norms{.out = {}, .in = norm_before()};
    if (kernel == Int4Kernel::streamed || norms.in.squares != nullptr)
      return stream_int4_product(p, {}, norms, streamed(constant(0)), c.queue);
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
    product_int4_tiled(in_bf16(p), w, *map, {.partial = c.scratch.partial, .flags = c.scratch.flags},
                       c.queue);
    return {};
  }
};

}  // namespace

bool is_product(const StructureNode& node) {
  return std::holds_alternative<Linear>(node.op) && node.role != Role::router;
}

Done multiply(const NodeViews& views, const Linear& o) { return Products{views}.multiply(o); }

Done multiply_joined(const NodeViews& views, const Prologue& prologue) {
  return Products{views}.joined_product(prologue, 1);
}

}  // namespace inferometer::cuda
