#include "executor/cuda/launch_node.hpp"

#include "executor/cuda/kernels/products.hpp"
#include "executor/cuda/product_choice.hpp"
#include "executor/cuda/tensor_map.hpp"

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
struct Launch {
  const NodeContext& c;
  const StructureNode& node;
  /// The node that runs in this one's kernel, where there is one.
  const StructureNode* joined = nullptr;
  const AnyOperator* joined_op = nullptr;

  const Buffer& buffer(const View& v) const {
    return c.structure.buffers[static_cast<std::size_t>(v.buffer)];
  }
  char* address(const View& v) const {
    const Bytes start = c.pass.memory.offset[static_cast<std::size_t>(v.buffer)];
    return c.arena + start.value + size_of(v.offset, buffer(v).dtype).value;
  }
  In in(std::size_t i) const {
    return {reinterpret_cast<const Bf16*>(address(node.reads[i])), buffer(node.reads[i]).columns};
  }
  Out out(std::size_t i) const {
    return {reinterpret_cast<Bf16*>(address(node.writes[i])), buffer(node.writes[i]).columns};
  }
  const Constant& constant(std::size_t i) const {
    return c.constants.all[static_cast<std::size_t>(node.weights[i])];
  }
  const Bf16* halves(std::size_t i) const { return reinterpret_cast<const Bf16*>(constant(i).data); }
  const float* floats(std::size_t i) const { return reinterpret_cast<const float*>(constant(i).data); }
  /// From one group of a view to the next.
  static std::int64_t step(const View& v) { return v.stride > 0 ? v.stride : v.columns / v.groups; }

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
    if (joined != nullptr) {
      return multiply({.kind = Prologue::Kind::norm, .weight = halves(0), .eps = static_cast<float>(o.eps)});
    }
    rms_norm({.x = in(0),
              .w = halves(0),
              .y = out(0),
              .tokens = o.tokens,
              .groups = o.groups,
              .width = o.width,
              .eps = static_cast<float>(o.eps)},
             c.queue);
    return {};
  }
  /// The joined product, of one token, of what the prologue makes of this node's first operand.
  Done multiply(const Prologue& prologue) const {
    const auto& o = std::get<Linear>(*joined_op);
    const View& y = joined->writes[0];
    product_one_token({.x = in(0).data,
                       .w = reinterpret_cast<const Bf16*>(
                           c.constants.all[static_cast<std::size_t>(joined->weights[0])].data),
                       .y = address(y),
                       .y_stride = buffer(y).columns,
                       .y_f32 = o.y == DType::f32,
                       .tokens = 1,
                       .in = static_cast<std::int32_t>(o.in),
                       .out = static_cast<std::int32_t>(o.out)},
                      prologue, c.queue);
    return {};
  }
  Done operator()(const AddRmsNorm& o) const {
    if (joined != nullptr) {
      return multiply({.kind = Prologue::Kind::add_norm,
                       .second = in(1).data,
                       .weight = halves(0),
                       .sum = out(0).data,
                       .eps = static_cast<float>(o.eps)});
    }
    add_rms_norm({.x = in(0),
                  .residual = in(1),
                  .w = halves(0),
                  .sum = out(0),
                  .y = out(1),
                  .tokens = o.tokens,
                  .width = o.width,
                  .eps = static_cast<float>(o.eps)},
                 c.queue);
    return {};
  }
  Done operator()(const Linear& o) const {
    const In x = in(0);
    const Out y = out(0);
    const bool f32 = o.y == DType::f32;
    const ProductLimits limits{.hopper = c.gpu.hopper(), .aligned = vectors(x, o.in)};
    const FewTokensProduct few{.x = x.data,
                               .x_stride = x.stride,
                               .w = halves(0),
                               .y = y.data,
                               .y_stride = y.stride,
                               .y_f32 = f32,
                               .tokens = static_cast<std::int32_t>(o.tokens),
                               .in = static_cast<std::int32_t>(o.in),
                               .out = static_cast<std::int32_t>(o.out)};
    Done done = std::monostate{};
    switch (choose(o, limits)) {
      case ProductKernel::one_token:
        product_one_token(few, {}, c.queue);
        break;
      case ProductKernel::streamed:
        done = stream(few);
        break;
      case ProductKernel::cublaslt:
        done = c.products.multiply({.x = x.data,
                                    .w = few.w,
                                    .y = few.y,
                                    .tokens = o.tokens,
                                    .in = o.in,
                                    .out = o.out,
                                    .x_stride = x.stride,
                                    .y_stride = y.stride,
                                    .y_f32 = f32},
                                   c.queue.stream);
        break;
    }
    if (o.bias) {
      add_bias(
          {.y = few.y, .stride = y.stride, .f32 = f32, .b = floats(1), .tokens = o.tokens, .width = o.out},
          c.queue);
    }
    return done;
  }
  Done stream(const FewTokensProduct& few) const {
    const std::int32_t tokens = token_tile(few.tokens);
    const Result<CUtensorMap> x = tensor_map(
        {.data = few.x, .rows = few.tokens, .columns = few.in, .stride = few.x_stride, .box_rows = tokens});
    if (!x) return failure(x.error());
    product_streamed(
        few, {.w = *constant(0).map, .x = *x, .partial = c.scratch.streamed, .flags = c.scratch.flags},
        c.queue);
    return {};
  }
  Done operator()(const RopeApply& o) const {
    require(node.reads[0] == node.writes[0] && node.reads[1] == node.writes[1], "rope in place");
    const RopeArguments turn{.q = out(0),
                             .k = out(1),
                             .table = c.rope,
                             .positions = c.inputs.positions(),
                             .tokens = o.tokens,
                             .q_heads = o.q_heads,
                             .k_heads = o.k_heads,
                             .rotary = o.rotary,
                             .q_head_stride = step(node.writes[0]),
                             .k_head_stride = step(node.writes[1]),
                             .interleaved = o.interleaved};
    if (joined != nullptr && std::holds_alternative<Attention>(*joined_op)) return attend_fresh(turn);
    if (joined != nullptr) {
      rope_kv_write(turn, write(*joined, o.tokens), c.queue);
    } else {
      rope(turn, c.queue);
    }
    return {};
  }
  KvWriteArguments write(const StructureNode& of, std::int64_t tokens) const {
    const auto from = [&](std::size_t i) {
      return In{reinterpret_cast<const Bf16*>(address(of.reads[i])), buffer(of.reads[i]).columns};
    };
    return {.k = from(0),
            .v = from(1),
            .cache = c.state.layer(of.layer),
            .slots = c.inputs.slots(),
            .tokens = tokens};
  }
  Done operator()(const KvWrite& o) const {
    kv_write(write(node, o.tokens), c.queue);
    return {};
  }
  /// Decode attention that rotates each sequence's one new token and appends it to the cache.
  Done attend_fresh(const RopeArguments& turn) const {
    const StructureNode& cache_write = *(joined - 1);  // neighbours in the structure
    const KvWriteArguments append = write(cache_write, turn.tokens);
    const Launch attention{c, *joined};
    attention_decode_fresh(attention.arguments(std::get<Attention>(*joined_op)),
                           {.k = append.k,
                            .v = append.v,
                            .table = turn.table,
                            .rotary = static_cast<std::int32_t>(turn.rotary),
                            .interleaved = turn.interleaved},
                           c.inputs.decoding(), decode_split(), c.queue);
    return {};
  }
  DecodeSplit decode_split() const {
    return {.splits = c.splits, .partial = c.scratch.decode, .tickets = c.scratch.tickets};
  }
  AttentionArguments arguments(const Attention& o) const {
    return {.q = in(0),
            .y = out(0),
            .cache = c.state.layer(node.layer),
            .sequences = c.inputs.sequences(),
            .blocks = c.inputs.tables(),
            .heads = static_cast<std::int32_t>(o.heads),
            .scale = static_cast<float>(o.scale),
            .window = static_cast<std::int32_t>(o.window),
            .sinks = o.sinks ? floats(0) : nullptr};
  }
  Done operator()(const Attention& o) const {
    const AttentionArguments a = arguments(o);
    const std::span<const Sequence> sequences = c.inputs.sent();
    if (o.kernel == AttentionKernel::naive) {
      for (const Sequence& s : sequences) attention_naive(a, s, c.scratch.scores, c.queue);
      return {};
    }
    // Queries of many rows against a cache in fp8 have no tiled kernel.
    const bool tiled = c.gpu.hopper() && attention_tiles(a.cache);
    const std::int64_t decoding = tiled ? c.inputs.decoding() : 0;
    if (decoding > 0) attention_decode(a, decoding, decode_split(), c.queue);
    if (tiled && a.cache.element == CacheElement::bf16) {
      if (c.inputs.tile_count() > 0) attention_prefill(a, c.inputs.tiles(), c.inputs.tile_count(), c.queue);
      return {};
    }
    const auto rest = sequences.subspan(static_cast<std::size_t>(decoding));
    if (rest.empty()) return {};
    AttentionArguments portable = a;
    portable.sequences += decoding;
    std::int32_t longest = 0;
    for (const Sequence& s : rest) longest = std::max(longest, s.fresh);
    attention_portable(portable, static_cast<std::int64_t>(rest.size()), longest, c.queue);
    return {};
  }
  Done operator()(const GatedActivation& o) const {
    if (joined != nullptr) return multiply({.kind = Prologue::Kind::gated, .second = in(1).data});
    gated({.gate = in(0),
           .up = in(1),
           .y = out(0),
           .activation = gate_of(o.activation),
           .tokens = o.tokens,
           .width = o.width},
          c.queue);
    return {};
  }
  Done operator()(const Add& o) const {
    add({.x = in(0), .r = in(1), .y = out(0), .tokens = o.tokens, .width = o.width}, c.queue);
    return {};
  }
  Done operator()(const Argmax& o) const {
    const In x = in(0);
    argmax({.x = reinterpret_cast<const float*>(x.data),
            .stride = x.stride,
            .ids = reinterpret_cast<std::int32_t*>(address(node.writes[0])),
            .tokens = o.tokens,
            .width = o.vocab,
            .workspace = c.scratch.largest},
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

Done launch_node(const NodeContext& context, std::size_t index) {
  const NodeRange kernel = kernel_of(context.structure, index, context.pass.features);
  require(kernel.first == index, "the first node of a kernel");
  Launch launch{context, context.structure.nodes[index]};
  if (kernel.last != index) {
    launch.joined = &context.structure.nodes[kernel.last];
    launch.joined_op = &context.pass.operators[kernel.last];
  }
  return std::visit(launch, context.pass.operators[index]);
}

}  // namespace inferometer::cuda
