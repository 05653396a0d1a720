#include "executor/cpu/run_node.hpp"

#include <cstring>

#include "executor/cpu/attention_plan.hpp"
#include "executor/cpu/experts.hpp"
#include "executor/cpu/kernels.hpp"
#include "executor/cpu/router.hpp"

namespace inferometer::cpu {
namespace {

template <class T>
T* grown(std::vector<T>& buffer, std::int64_t size) {
  if (static_cast<std::int64_t>(buffer.size()) < size) buffer.resize(static_cast<std::size_t>(size));
  return buffer.data();
}

/// Calls the kernel of each operator with the views of one node.
struct Run {
  const NodeContext& c;
  const StructureNode& node;

  const Buffer& buffer(const View& v) const {
    return c.structure.buffers[static_cast<std::size_t>(v.buffer)];
  }
  char* address(const View& v) const {
    const Bytes start = c.pass.memory.offset[static_cast<std::size_t>(v.buffer)];
    return c.arena + start.value + size_of(v.offset, buffer(v).dtype).value;
  }
  In in(std::size_t i) const { return {address(node.reads[i]), buffer(node.reads[i]).columns}; }
  Out out(std::size_t i) const { return {address(node.writes[i]), buffer(node.writes[i]).columns}; }
  const Constant& constant(std::size_t i) const {
    return c.constants[static_cast<std::size_t>(node.weights[i])];
  }
  const float* floats(std::size_t i) const {
    return i < node.weights.size() ? reinterpret_cast<const float*>(constant(i).plain.data()) : nullptr;
  }
  static std::int64_t element(DType dtype) { return size_of(1, dtype).value; }

  /// From one group of a view to the next.
  static std::int64_t step(const View& v) { return v.stride > 0 ? v.stride : v.columns / v.groups; }

  void operator()(const Embedding& o) const {
    kernels().gather({.x = {constant(0).plain.data(), o.width},
                      .rows = c.pass.inputs.tokens.data(),
                      .y = out(0),
                      .count = o.tokens,
                      .width = o.width,
                      .element_bytes = element(o.dtype)});
  }
  void operator()(const GatherRows& o) const {
    kernels().gather({.x = in(0),
                      .rows = c.pass.inputs.logit_rows.data(),
                      .y = out(0),
                      .count = o.tokens,
                      .width = o.width,
                      .element_bytes = element(o.dtype)});
  }
  void operator()(const RmsNorm& o) const {
    kernels().rms_norm({.x = in(0),
                        .w = constant(0).plain.data(),
                        .y = out(0),
                        .dtype = o.dtype,
                        .tokens = o.tokens,
                        .groups = o.groups,
                        .width = o.width,
                        .eps = static_cast<float>(o.eps)});
  }
  void operator()(const AddRmsNorm& o) const {
    kernels().add_rms_norm({.x = in(0),
                            .residual = in(1),
                            .w = constant(0).plain.data(),
                            .sum = out(0),
                            .y = out(1),
                            .dtype = o.dtype,
                            .tokens = o.tokens,
                            .width = o.width,
                            .eps = static_cast<float>(o.eps),
                            .rows = o.gathered ? c.pass.inputs.logit_rows.data() : nullptr});
  }
  ProductInput product_input(DType x, std::int64_t rows) const {
    const In from = in(0);
    const View& view = node.reads[0];
    ProductInput input{.data = from.data, .dtype = x, .rows = rows, .stride = from.stride};
    if (view.groups > 1) input.matrix_stride = step(view);
    return input;
  }
  ProductOutput product_output(DType y) const {
    const Out to = out(0);
    const View& view = node.writes[0];
    ProductOutput output{.data = to.data, .dtype = y, .stride = to.stride};
    if (view.groups > 1) output.matrix_stride = step(view);
    return output;
  }
  void operator()(const Linear& o) const {
    ProductInput x = product_input(o.x, o.tokens);
    if (o.x == DType::int8) x.scales = static_cast<const float*>(in(1).data);
    c.products.multiply(constant(0).packed.front(), x, product_output(o.y), floats(1));
  }
  void operator()(const BatchedLinear& o) const {
    c.products.multiply(constant(0).packed.front(), product_input(o.x, o.tokens), product_output(o.y));
  }
  /// Brings the rotated parts to where they are written, unless they are there.
  void move(const View& from, const View& to, std::int64_t tokens) const {
    if (from == to) return;
    const auto width =
        static_cast<std::size_t>(size_of(from.columns / from.groups, buffer(from).dtype).value);
    const std::int64_t e = element(buffer(from).dtype);
    for (std::int64_t t = 0; t < tokens; ++t) {
      for (std::int64_t g = 0; g < from.groups; ++g) {
        std::memcpy(address(to) + (t * buffer(to).columns + g * step(to)) * e,
                    address(from) + (t * buffer(from).columns + g * step(from)) * e, width);
      }
    }
  }
  void operator()(const RopeApply& o) const {
    move(node.reads[0], node.writes[0], o.tokens);
    move(node.reads[1], node.writes[1], o.tokens);
    kernels().rope({.q = out(0),
                    .k = out(1),
                    .table = c.rope.data(),
                    .positions = c.pass.inputs.positions.data(),
                    .dtype = o.dtype,
                    .tokens = o.tokens,
                    .q_heads = o.q_heads,
                    .k_heads = o.k_heads,
                    .rotary = o.rotary,
                    .q_head_stride = step(node.writes[0]),
                    .k_head_stride = step(node.writes[1]),
                    .interleaved = o.interleaved});
  }
  void operator()(const KvWrite& o) const {
    kernels().kv_write({.k = in(0),
                        .v = o.v_dim > 0 ? in(1) : In{},
                        .cache = c.state.layer(node.layer),
                        .slots = c.pass.inputs.slots.data(),
                        .dtype = o.dtype,
                        .tokens = o.tokens});
  }
  void operator()(const Attention& o) const {
    AttentionArguments a{.q = in(0),
                         .y = out(0),
                         .dtype = o.dtype,
                         .cache = c.state.layer(node.layer),
                         .sequences = c.pass.inputs.sequences.data(),
                         .count = static_cast<std::int64_t>(c.pass.inputs.sequences.size()),
                         .heads = o.heads,
                         .scale = static_cast<float>(o.scale),
                         .window = o.window,
                         .sinks = o.sinks ? floats(0) : nullptr,
                         .threads = c.threads};
    a.cache.v_dim = o.v_dim;  // of latent attention: the part of each key that is its value
    const bool naive = o.kernel == AttentionKernel::naive;
    a.workspace =
        grown(c.scratch.attention, naive ? attention_naive_workspace(a) : attention_tiled_workspace(a));
    naive ? kernels().attention_naive(a) : kernels().attention_tiled(a);
  }
  void operator()(const GatedActivation& o) const {
    kernels().gated({.gate = in(0),
                     .up = in(1),
                     .y = out(0),
                     .activation = o.activation,
                     .dtype = o.dtype,
                     .tokens = o.tokens,
                     .width = o.width});
  }
  void operator()(const Add& o) const {
    kernels().add(
        {.x = in(0), .r = in(1), .y = out(0), .dtype = o.dtype, .tokens = o.tokens, .width = o.width});
  }
  void operator()(const Router& o) const {
    const RouterRule rule{.experts = o.experts,
                          .top_k = o.top_k,
                          .score = o.score,
                          .softmax_after_top_k = o.softmax_after_top_k,
                          .normalize = o.normalize,
                          .groups = o.groups,
                          .top_groups = o.top_groups,
                          .group_rank = o.group_rank,
                          .scaling = static_cast<float>(o.scaling)};
    const In logits = in(0);
    route(rule, static_cast<const float*>(logits.data), logits.stride, o.correction ? floats(0) : nullptr,
          o.tokens, static_cast<std::int32_t*>(out(0).data), static_cast<float*>(out(1).data));
  }
  /// Rows are sorted by expert, multiplied expert by expert, and put back in their order.
  void operator()(const ExpertLinear& o) const {
    const std::int64_t rows = o.rows(), divisor = o.per_assignment ? 1 : o.top_k;
    const ExpertGroups groups =
        group_by_expert(static_cast<const std::int32_t*>(in(1).data), rows, o.experts);
    ProductInput x{.data = grown(c.scratch.expert_inputs, size_of(rows * o.in, o.x).value),
                   .dtype = o.x,
                   .rows = rows,
                   .stride = o.in};
    const auto sort = [&](In from, void* to, std::int64_t width, DType dtype) {
      kernels().gather({.x = from,
                        .rows = groups.pairs.data(),
                        .y = {to, width},
                        .count = rows,
                        .width = width,
                        .element_bytes = element(dtype),
                        .divisor = divisor});
    };
    sort(in(0), c.scratch.expert_inputs.data(), o.in, o.x);
    if (o.x == DType::int8) {
      x.scales = grown(c.scratch.expert_scales, rows);
      sort(in(2), c.scratch.expert_scales.data(), 1, DType::f32);
    }
    char* sorted = grown(c.scratch.expert_outputs, size_of(rows * o.out, o.y).value);
    multiply_experts(c.products, constant(0).packed, groups, x,
                     {.data = sorted, .dtype = o.y, .stride = o.out}, floats(1));
    kernels().scatter({.x = {sorted, o.out},
                       .rows = groups.pairs.data(),
                       .y = out(0),
                       .count = rows,
                       .width = o.out,
                       .element_bytes = element(o.y)});
  }
  void operator()(const ExpertCombine& o) const {
    kernels().combine({.x = in(0),
                       .weights = static_cast<const float*>(in(1).data),
                       .y = out(0),
                       .dtype = o.dtype,
                       .tokens = o.tokens,
                       .top_k = o.top_k,
                       .width = o.width});
  }
  void operator()(const Quantize& o) const {
    const Out q = out(0);
    kernels().quantize({.x = in(0),
                        .q = static_cast<std::int8_t*>(q.data),
                        .q_stride = q.stride,
                        .scales = static_cast<float*>(out(1).data),
                        .dtype = o.dtype,
                        .tokens = o.tokens,
                        .width = o.width});
  }
  void operator()(const AllReduce&) const { require(false, "a collective on one device"); }
  void operator()(const AllToAll&) const { require(false, "an exchange on one device"); }
  void operator()(const HandOver&) const { require(false, "a pipeline on one device"); }
  void operator()(const Argmax& o) const {
    kernels().argmax(
        {.x = in(0), .ids = static_cast<std::int32_t*>(out(0).data), .tokens = o.tokens, .width = o.vocab});
  }
};

}  // namespace

void run_node(const NodeContext& context, std::size_t index) {
  std::visit(Run{context, context.structure.nodes[index]}, context.pass.operators[index]);
}

}  // namespace inferometer::cpu
