#include "scenarios/measured_calls.hpp"

#include <array>

namespace inferometer {
namespace {

KernelCall read_gemm(Row& row) {
  return Gemm{.format = row.value<Format>("dtype"),
              .m = row.positive<std::int64_t>("m"),
              .n = row.positive<std::int64_t>("n"),
              .k = row.positive<std::int64_t>("k")};
}

/// The alpha of "power_law_ALPHA"; 0 for "balanced".
double read_routing(Row& row) {
  const Field& f = row.field("routing");
  constexpr std::string_view prefix = "power_law_";
  if (f.text == "balanced") return 0;
  double alpha = 0;
  if (f.text.starts_with(prefix)) {
    const char* const end = f.text.data() + f.text.size();
    const auto [stop, code] = std::from_chars(f.text.data() + prefix.size(), end, alpha);
    if (code == std::errc{} && stop == end && alpha > 0 && alpha < 10) return alpha;
  }
  row.error(f, fmt::format("routing: \"{}\" is neither balanced nor power_law_ with a number from 0 to 10",
                           f.text));
  return 0;
}

/// Kernels of a layer that are no products: what they read and write of each row of n, in numbers of n. They
/// work in fp16.
struct RowKernel {
  std::string_view name;
  std::int64_t passes;  ///< over the row
  bool weights;         ///< n of them
};
constexpr std::array row_kernels{
    RowKernel{"add", 3, false},     RowKernel{"attn_rope", 2, false},
    RowKernel{"emb", 2, false},     RowKernel{"input_layernorm", 2, true},
    RowKernel{"mlp_act", 3, false}, RowKernel{"post_attention_layernorm", 2, true},
};

KernelCall read_row_kernel(Row& row) {
  const Field& op = row.field("op");
  const std::int64_t m = row.positive<std::int64_t>("m"), n = row.positive<std::int64_t>("n");
  std::string names;
  for (const RowKernel& k : row_kernels) {
    if (k.name == op.text)
      return Elementwise{.ops = std::string{op.text},
                         .rows = m,
                         .row_bytes = 2 * k.passes * n,
                         .fixed_bytes = k.weights ? 2 * n : 0};
    names += (names.empty() ? "" : ", ") + std::string{k.name};
  }
  row.error(op, fmt::format("op: \"{}\" is no product as k is 0, and not one of {}", op.text, names));
  return Elementwise{};
}

KernelCall read_layer_part(Row& row) {
  if (row.not_negative("k") == 0) return read_row_kernel(row);
  return Gemm{.format = Format::fp16,
              .m = row.positive<std::int64_t>("m"),
              .n = row.positive<std::int64_t>("n"),
              .k = row.positive<std::int64_t>("k")};
}

KernelCall read_moe(Row& row) {
  MoeLayer moe{.format = row.value<Format>("dtype"),
               .tokens = row.positive<std::int64_t>("num_tokens"),
               .hidden = row.positive<std::int64_t>("hidden"),
               .inter = row.positive<std::int64_t>("inter"),
               .topk = row.positive<std::int64_t>("topk"),
               .experts = row.positive<std::int64_t>("num_experts")};
  moe.tp = row.positive<std::int64_t>("tp");
  moe.ep = row.positive<std::int64_t>("ep");
  if (moe.experts % moe.ep != 0)
    row.error(row.field("ep"), fmt::format("ep: must divide num_experts {}, is {}", moe.experts, moe.ep));
  if (moe.tokens > 1 << 24 || moe.experts > 1 << 16)
    row.error(row.field("num_tokens"), "more than 16777216 tokens or 65536 experts");
  moe.alpha = read_routing(row);
  moe.gated = row.flag("gated");
  if (moe.topk > moe.experts)
    row.error(row.field("topk"), fmt::format("topk: {} of {} experts", moe.topk, moe.experts));
  const std::string kernel = row.has("kernel") ? std::string{row.field("kernel").text} : "";
  if (kernel.ends_with("min_latency")) moe.kernel = "min_latency";
  // Collectors that did not tell kernels of this flow apart yet drew few tokens' experts another way.
  moe.agreeing = kernel == "moe_torch_flow";
  return moe;
}

/// The dtypes that attention reads and computes in.
Format attention_format(Row& row, std::string_view column) {
  const Format f = row.value<Format>(column);
  if (f == Format::bf16 || f == Format::fp16 || f == Format::fp8) return f;
  row.error(row.field(column), fmt::format("{}: \"{}\" is not one of bf16, fp16, fp8", column, name(f)));
  return Format::bf16;
}

template <class Attention>
Attention read_heads(Row& row) {
  Attention a;
  a.attention = attention_format(row, "attn_dtype");
  a.kv = attention_format(row, "kv_dtype");
  a.batch = row.positive<std::int64_t>("batch");
  a.kv_len = row.positive<std::int64_t>("kv_len");
  a.num_q_heads = row.positive<std::int64_t>("num_q_heads");
  a.num_kv_heads = row.positive<std::int64_t>("num_kv_heads");
  a.head_dim = row.positive<std::int64_t>("head_dim");
  a.window = row.not_negative("window");
  return a;
}

KernelCall read_attention(Row& row) {
  const std::int64_t q_len = row.positive<std::int64_t>("q_len");
  if (row.value<AttentionPhase>("phase") == AttentionPhase::generation)
    return read_heads<DecodeAttention>(row);
  ContextAttention a = read_heads<ContextAttention>(row);
  a.q_len = q_len;
  if (a.q_len > a.kv_len) row.error(row.field("q_len"), "q_len: must not exceed kv_len");
  return a;
}

/// "nccl-tests-2.28" names a kernel by the word before its first hyphen.
CollectiveKernel collective_kernel(Row& row) {
  const Field& f = row.field("impl");
  const auto v = value_named<CollectiveKernel>(f.text.substr(0, f.text.find('-')));
  if (!v)
    row.error(f,
              fmt::format("impl: \"{}\" starts with none of {}", f.text, expected_names<CollectiveKernel>()));
  return v.value_or(CollectiveKernel{});
}

KernelCall read_collective(Row& row) {
  Collective c{.op = row.value<CollectiveOp>("op"),
               .element = row.value<CollectiveElement>("dtype"),
               .kernel = collective_kernel(row),
               .gpus = row.positive<std::int64_t>("num_gpus"),
               .bytes = row.positive<std::int64_t>("message_bytes")};
  if (c.gpus < 2) row.error(row.field("num_gpus"), "num_gpus: must be 2 or more");
  return c;
}

KernelCall read_eager_collective(Row& row) {
  EagerCollective c{.op = row.value<EagerOp>("op"),
                    .gpus = row.positive<std::int64_t>("num_gpus"),
                    .gpus_per_node = row.positive<std::int64_t>("gpus_per_node"),
                    .bytes = row.positive<std::int64_t>("message_bytes")};
  if (c.gpus < 2) row.error(row.field("num_gpus"), "num_gpus: must be 2 or more");
  if (c.gpus_per_node > c.gpus)
    row.error(row.field("gpus_per_node"),
              fmt::format("gpus_per_node: {} of {} GPUs", c.gpus_per_node, c.gpus));
  return c;
}

KernelCall read_mla_kernel(Row& row) {
  return MlaKernel{.phase = row.value<AttentionPhase>("phase"),
                   .kv = row.value<LatentFormat>("kv_dtype"),
                   .batch = row.positive<std::int64_t>("batch"),
                   .q_len = row.positive<std::int64_t>("q_len"),
                   .kv_len = row.positive<std::int64_t>("kv_len"),
                   .heads = row.positive<std::int64_t>("num_heads")};
}

KernelCall read_mla_bmm(Row& row) {
  return MlaBmm{.op = row.value<AbsorptionOp>("op"),
                .format = row.value<LatentFormat>("dtype"),
                .tokens = row.positive<std::int64_t>("num_tokens"),
                .heads = row.positive<std::int64_t>("num_heads")};
}

KernelCall read_mla_module(Row& row) {
  return MlaModule{.phase = row.value<AttentionPhase>("phase"),
                   .projections = row.value<ProjectionFormat>("gemm_dtype"),
                   .kv = row.value<LatentFormat>("kv_dtype"),
                   .batch = row.positive<std::int64_t>("batch"),
                   .q_len = row.positive<std::int64_t>("q_len"),
                   .kv_len = row.positive<std::int64_t>("kv_len"),
                   .heads = row.positive<std::int64_t>("num_heads")};
}

KernelCall read_quantize(Row& row) {
  return QuantizeKernel{.op = row.value<QuantizeOp>("op"),
                        .format = row.value<QuantizedFormat>("dtype"),
                        .m = row.positive<std::int64_t>("m"),
                        .k = row.positive<std::int64_t>("k")};
}

/// The published rows of a gated delta rule convolve the channels of its keys alone, as their times tell.
std::int64_t convolved_channels(Row& row) {
  if (row.field("num_k_heads").text.empty())
    return row.positive<std::int64_t>("nheads") * row.positive<std::int64_t>("head_dim") +
           2 * row.positive<std::int64_t>("n_groups") * row.positive<std::int64_t>("d_state");
  return row.positive<std::int64_t>("num_k_heads") * row.positive<std::int64_t>("head_k_dim");
}

KernelCall read_linear_attention(Row& row) {
  LinearAttention a{.kernel = row.value<LinearKernel>("kernel"),
                    .batch = row.positive<std::int64_t>("batch"),
                    .length = row.positive<std::int64_t>("seq_len")};
  if (a.kernel == LinearKernel::causal_conv1d_fn || a.kernel == LinearKernel::causal_conv1d_update) {
    a.channels = convolved_channels(row);
    a.taps = row.positive<std::int64_t>("d_conv");
    return a;
  }
  a.key_heads = row.positive<std::int64_t>("num_k_heads");
  a.key_dim = row.positive<std::int64_t>("head_k_dim");
  a.value_heads = row.positive<std::int64_t>("num_v_heads");
  a.value_dim = row.positive<std::int64_t>("head_v_dim");
  return a;
}

}  // namespace

const std::vector<MeasuredKind>& measured_kinds() {
  constexpr double whole_us = 1;  // what profilers of kernels state
  static const std::vector<MeasuredKind> all{
      {{"dtype", "num_tokens", "hidden", "inter", "topk", "num_experts", "tp", "ep", "routing", "gated"},
       read_moe},
      {{"phase", "attn_dtype", "kv_dtype", "batch", "q_len", "kv_len", "num_q_heads", "num_kv_heads",
        "head_dim", "window", "min_us", "max_us"},
       read_attention,
       whole_us},
      {{"phase", "attn_dtype", "kv_dtype", "batch", "q_len", "kv_len", "num_q_heads", "num_kv_heads",
        "head_dim", "window"},
       read_attention},
      {{"kernel", "batch", "seq_len", "d_conv", "num_k_heads", "head_k_dim", "num_v_heads", "head_v_dim",
        "d_state", "nheads", "head_dim", "n_groups"},
       read_linear_attention},
      {{"op", "tp", "m", "n", "k", "min_us", "max_us"}, read_layer_part, whole_us},
      {{"op", "num_gpus", "gpus_per_node", "message_bytes", "min_us", "max_us"},
       read_eager_collective,
       whole_us},
      {{"op", "dtype", "num_gpus", "message_bytes", "impl"}, read_collective},
      {{"phase", "gemm_dtype", "kv_dtype", "batch", "q_len", "kv_len", "num_heads"}, read_mla_module},
      {{"phase", "kv_dtype", "batch", "q_len", "kv_len", "num_heads"}, read_mla_kernel},
      {{"op", "dtype", "num_tokens", "num_heads"}, read_mla_bmm},
      {{"dtype", "m", "n", "k"}, read_gemm},
      {{"op", "dtype", "m", "k"}, read_quantize}};
  return all;
}

}  // namespace inferometer
