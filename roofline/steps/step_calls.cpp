#include "roofline/steps/step_calls.hpp"

#include <algorithm>
#include <optional>

#include "model/few_tokens.hpp"
#include "roofline/work.hpp"

namespace inferometer {
namespace {

/// The format of a product whose inputs are quantised by other nodes.
Format format_of(DType x, DType w) {
  switch (w) {
    case DType::fp8:  // beside wider inputs it is expanded, as int8 is
      return x == DType::fp8 ? Format::fp8_static : Format::int8_wo;
    case DType::int8:
      return x == DType::int8 ? Format::sq : Format::int8_wo;
    case DType::int4:
      return Format::int4_wo;
    case DType::nvfp4:
      return Format::nvfp4;
    case DType::mxfp4:
      return Format::w4a16_mxfp4;
    case DType::f16:
      return Format::fp16;
    case DType::f32:
      return Format::f32;
    default:
      return Format::bf16;
  }
}

Format cache_format(DType d) {
  return d == DType::fp8   ? Format::fp8
         : d == DType::f16 ? Format::fp16
         : d == DType::f32 ? Format::f32
                           : Format::bf16;
}

/// Single tokens attended in a step with prompts, whose products keep the clocks low.
constexpr const char* beside_prompts = "/beside prompts";

std::string rows_class(const Gemm& g) {
  return g.m <= (g.format == Format::int4_wo ? few_int4_tokens : few_tokens) ? "/few rows" : "";
}

/// Whether it is a product of tiles of both operands, or attention of prompts, which are long enough that
/// their starts do not matter.
bool tiled(const KernelCall& call) {
  const auto* gemm = std::get_if<Gemm>(&call);
  return (gemm != nullptr && rows_class(*gemm).empty()) || std::holds_alternative<GatedProduct>(call) ||
         std::holds_alternative<GroupedGemm>(call) || std::holds_alternative<ContextAttention>(call);
}

template <class A>
A attention_call(const Attention& o, const AttendedLengths& of) {
  A a;
  a.attention = cache_format(o.dtype);
  a.kv = cache_format(o.kv_dtype);
  a.batch = of.count;
  a.kv_len = std::max<std::int64_t>(1, of.all / of.count);
  a.num_q_heads = o.heads;
  a.num_kv_heads = o.kv_heads;
  a.head_dim = o.head_dim;
  a.window = o.window;
  return a;
}

StepCall call_of(const KernelCall& call, const std::string& kind = "") {
  const std::string alone = variant_of(call) + kind;
  return {alone, alone, call};
}

void add_attention(std::vector<StepCall>& calls, const Attention& o, SingleTokenKernel kernel) {
  const Attended attended(o.slices);
  const bool both = attended.single.count > 0 && attended.prompts.count > 0;
  if (attended.single.count > 0)
    calls.push_back(call_of(single_tokens(o, attended.single, kernel), both ? beside_prompts : ""));
  if (attended.prompts.count > 0) calls.push_back(call_of(prompts(o, attended.prompts)));
  if (o.kernel != AttentionKernel::naive) return;
  const std::int64_t rows = o.heads * o.tokens();
  calls.push_back(
      call_of(Elementwise{.ops = "scores",
                          .rows = rows,
                          .row_bytes = std::max<std::int64_t>(1, o.unfused_traffic().value / rows)}));
}

/// Weights that our executor unpacks for a library's product of inputs in bf16: that, and the unpacking.
bool unpacked(const Linear& o, bool executed) {
  return executed && o.w.dtype == DType::int4 && o.tokens > packed_int4_tokens;
}
void add_unpacked_product(std::vector<StepCall>& calls, const Linear& o) {
  const Gemm gemm{.format = Format::bf16, .m = o.tokens, .n = o.out, .k = o.in};
  calls.push_back(call_of(gemm, rows_class(gemm)));
  const std::int64_t unpacked_row = 2 * o.in;
  calls.push_back(call_of(Elementwise{
      .ops = "unpack", .rows = o.out, .row_bytes = work_of(o).weights.value / o.out + unpacked_row}));
}

/// gated: by a kernel of ours that takes the gated activation along.
StepCall product_call(const Linear& o, bool gated) {
  const Format format = format_of(o.x, o.w.dtype);
  if (o.tokens <= 1) return call_of(Gemv{.format = format, .n = o.out, .k = o.in});
  if (gated && o.tokens > few_tokens)
    return call_of(GatedProduct{.format = format, .m = o.tokens, .n = o.out / 2, .k = o.in});
  const Gemm gemm{.format = format, .m = o.tokens, .n = o.out, .k = o.in};
  return call_of(gemm, rows_class(gemm));
}

/// Bytes of all nodes but what they hand on within the kernel.
Elementwise elementwise_of(const Graph& graph, const NodeRange& kernel, std::string ops) {
  Elementwise e{.ops = std::move(ops)};
  std::int64_t streamed = 0;
  for (std::size_t v = kernel.first; v <= kernel.last; ++v) {
    const Work work = work_of(graph[v].op);
    e.fixed_bytes += work.weights.value;
    streamed += work.state.value + work.activations.value;
    std::visit(
        [&](const auto& o) {
          if constexpr (requires { o.tokens; }) {
            if (v == kernel.first) e.rows = std::max<std::int64_t>(1, o.tokens);
          }
          if constexpr (requires {
                          o.groups;
                          o.width;
                        }) {
            if (v == kernel.first) e.rows *= o.groups;  // each head is normed by itself
          }
        },
        graph[v].op);
  }
  if (std::holds_alternative<Embedding>(graph[kernel.first].op)) {
    streamed += std::exchange(e.fixed_bytes, 0);  // a row of the table for each token
  }
  e.row_bytes = std::max<std::int64_t>(1, streamed / e.rows);
  return e;
}

}  // namespace

KernelCall single_tokens(const Attention& op, const AttendedLengths& of, SingleTokenKernel kernel) {
  if (!op.v_in_k && kernel.executed) {
    auto a = attention_call<PagedDecode>(op, of);
    a.longest = std::max(a.kv_len, of.longest);
    a.appends = kernel.appends;
    return a;
  }
  if (!op.v_in_k) return attention_call<DecodeAttention>(op, of);
  return MlaKernel{.phase = AttentionPhase::generation,
                   .kv = op.kv_dtype == DType::fp8 ? LatentFormat::fp8 : LatentFormat::bf16,
                   .batch = of.count,
                   .kv_len = std::max<std::int64_t>(1, of.all / of.count),
                   .heads = op.heads};
}

KernelCall prompts(const Attention& op, const AttendedLengths& of) {
  auto a = attention_call<ContextAttention>(op, of);
  a.q_len = std::max<std::int64_t>(1, of.fresh / of.count);
  a.kv_len = std::max(a.q_len, a.kv_len);
  return a;
}

bool multiplies(const KernelCall& call) {
  return std::holds_alternative<Gemm>(call) || std::holds_alternative<GatedProduct>(call) ||
         std::holds_alternative<GroupedGemm>(call) || std::holds_alternative<ContextAttention>(call);
}

bool of_library(const std::vector<StepCall>& kernel) {
  return std::any_of(kernel.begin(), kernel.end(), [](const StepCall& c) {
    const auto* gemm = std::get_if<Gemm>(&c.call);
    return gemm != nullptr && rows_class(*gemm).empty() && gemm->format != Format::int4_wo;
  });
}

bool attention_appends(const Graph& graph, const NodeRange& kernel) {
  return std::holds_alternative<RopeApply>(graph[kernel.first].op);
}

std::vector<StepCall> step_calls(const Graph& graph, const NodeRange& kernel, LaunchMode mode,
                                 bool executed) {
  std::string ops, others;
  std::vector<StepCall> calls;
  int products = 0;
  for (std::size_t v = kernel.first; v <= kernel.last; ++v) {
    const AnyOperator& op = graph[v].op;
    std::string op_name{name(op)};
    if (const auto* norm = std::get_if<RmsNorm>(&op); norm != nullptr && norm->groups > 1)
      op_name += " of heads";  // short rows, many of them
    ops += (ops.empty() ? "" : " + ") + op_name;
    if (const auto* o = std::get_if<Linear>(&op)) {
      const bool gated = v < kernel.last && std::holds_alternative<GatedActivation>(graph[v + 1].op);
      if (unpacked(*o, executed)) {
        add_unpacked_product(calls, *o);
      } else {
        calls.push_back(product_call(*o, gated && executed));
      }
      ++products;
    } else if (const auto* e = std::get_if<ExpertLinear>(&op)) {
      const GroupedGemm g{.format = format_of(e->x, e->w.dtype),
                          .groups = std::max<std::int64_t>(1, e->touched),
                          .rows = std::max<std::int64_t>(1, e->rows()),
                          .n = e->out,
                          .k = e->in};
      calls.push_back(call_of(g));
      ++products;
    } else if (const auto* b = std::get_if<BatchedLinear>(&op)) {
      const GroupedGemm g{.format = format_of(b->x, b->w.dtype),
                          .groups = b->heads,
                          .rows = std::max<std::int64_t>(1, b->heads * b->tokens),
                          .n = b->out,
                          .k = b->in};
      calls.push_back(call_of(g));
      ++products;
    } else if (const auto* r = std::get_if<AllReduce>(&op); r != nullptr && r->ranks > 1) {
      const Collective c{
          .element = r->dtype == DType::f16 ? CollectiveElement::fp16 : CollectiveElement::bf16,
          .gpus = r->ranks,
          .bytes = std::max<std::int64_t>(1, work_of(op).link.value)};
      calls.push_back(call_of(c));
    } else if (const auto* exchange = std::get_if<AllToAll>(&op)) {
      const Collective c{
          .op = CollectiveOp::alltoall,
          .element = exchange->dtype == DType::f16 ? CollectiveElement::fp16 : CollectiveElement::bf16,
          .gpus = exchange->ranks,
          .bytes = std::max<std::int64_t>(1, work_of(op).link.value)};
      calls.push_back(call_of(c));
    } else if (const auto* a = std::get_if<Attention>(&op)) {
      add_attention(calls, *a, {.executed = executed, .appends = attention_appends(graph, kernel)});
    } else {
      others += " + " + op_name;
    }
  }
  if (calls.empty() || products > 1) {
    calls = {call_of(elementwise_of(graph, kernel, ops))};
    others.clear();
  }
  for (StepCall& call : calls) {
    call.variant += others;
    if (!overlaps(mode) || tiled(call.call)) continue;
    call.variant += "/overlap";
    const auto* short_one = std::get_if<Elementwise>(&call.call);
    if (short_one == nullptr) continue;
    // What shows of it depends on when products before and behind it let others start.
    if (short_one->rows <= few_tokens) call.variant += ", few";
    if (mode == LaunchMode::eager_overlap) call.variant += ", eager";
  }
  return calls;
}

}  // namespace inferometer
