#include "papers/kernel_table.hpp"

#include <fmt/format.h>

#include "papers/paper_row.hpp"
#include "roofline/steps/step_models.hpp"
#include "scenarios/check_case.hpp"

namespace inferometer {

enum class TimedCall : std::uint8_t { decode_attention, prompt_attention, layer_products };
template <>
struct Names<TimedCall> {
  static constexpr std::array list{
      std::pair{TimedCall::decode_attention, std::string_view{"decode-attention"}},
      std::pair{TimedCall::prompt_attention, std::string_view{"prompt-attention"}},
      std::pair{TimedCall::layer_products, std::string_view{"layer-products"}}};
};
enum class TimeUnit : std::uint8_t { microseconds, milliseconds, teraflops };
template <>
struct Names<TimeUnit> {
  static constexpr std::array list{std::pair{TimeUnit::microseconds, std::string_view{"us"}},
                                   std::pair{TimeUnit::milliseconds, std::string_view{"ms"}},
                                   std::pair{TimeUnit::teraflops, std::string_view{"TFLOP/s"}}};
};

namespace {

/// What is common to a table's rows.
struct Common {
  Format format = Format::fp16;
  std::int64_t query_heads = 0, key_heads = 0, head_size = 0;  ///< 0: no attention is timed
};

/// Kernels that run one after another, and what they do.
struct Timed {
  std::string label;
  std::vector<KernelCall> calls;
  double flops = 0;
};

template <class Attention>
Attention heads_of(Reader& in, const Common& common) {
  if (common.query_heads == 0) in.error("call", "the table has no heads:");
  Attention a;
  a.attention = a.kv = common.format;
  a.num_q_heads = common.query_heads;
  a.num_kv_heads = common.key_heads;
  a.head_dim = common.head_size;
  return a;
}

double flops_of(double batch, double queries, double keys, const Common& common) {
  return 4 * batch * queries * keys * static_cast<double>(common.query_heads * common.head_size);
}

Timed read_decode_attention(Reader& in, const Common& common) {
  auto a = heads_of<DecodeAttention>(in, common);
  a.batch = read_count(in, "batch");
  a.kv_len = read_count(in, "keys");
  return {fmt::format("decode attention, batch {}, {} keys", a.batch, a.kv_len),
          {a},
          flops_of(static_cast<double>(a.batch), 1, static_cast<double>(a.kv_len), common)};
}

Timed read_prompt_attention(Reader& in, const Common& common) {
  auto a = heads_of<ContextAttention>(in, common);
  a.batch = read_count(in, "batch");
  a.q_len = a.kv_len = read_count(in, "tokens");
  a.causal = in.required<bool>("causal");
  a.alone = true;
  const double tokens = static_cast<double>(a.q_len);
  return {fmt::format("{} attention, batch {}, {} tokens", a.causal ? "causal" : "full", a.batch, a.q_len),
          {a},
          flops_of(static_cast<double>(a.batch), tokens, tokens, common) / (a.causal ? 2 : 1)};
}

Timed read_layer_products(Reader& in, const Common& common, const Library& library) {
  const auto model = in.required<std::string>("model");
  const std::int64_t tokens = read_count(in, "tokens");
  Timed timed{.label = fmt::format("products of a layer, {} tokens", tokens), .calls = {}, .flops = 0};
  if (model.empty()) return timed;
  const Result<Architecture> found = load_model(model, library);
  if (!found) {
    take_errors(in.errors(), found.error(), in.where(), in.path() + ".model: ");
    return timed;
  }
  const std::int64_t queries = found->heads * found->head_dim, keys = found->kv_heads * found->head_dim;
  const auto add = [&](std::int64_t out, std::int64_t inputs) {
    if (tokens == 1) {
      timed.calls.push_back(Gemv{.format = common.format, .n = out, .k = inputs});
    } else {
      timed.calls.push_back(Gemm{.format = common.format, .m = tokens, .n = out, .k = inputs});
    }
    timed.flops += 2 * static_cast<double>(tokens) * static_cast<double>(out) * static_cast<double>(inputs);
  };
  add(queries + 2 * keys, found->hidden);
  add(found->hidden, queries);
  add(2 * found->intermediate, found->hidden);
  add(found->hidden, found->intermediate);
  return timed;
}

Timed read_call(Reader& in, const Common& common, const Library& library) {
  switch (read_name<TimedCall>(in, "call")) {
    case TimedCall::decode_attention:
      return read_decode_attention(in, common);
    case TimedCall::prompt_attention:
      return read_prompt_attention(in, common);
    case TimedCall::layer_products:
      return read_layer_products(in, common, library);
  }
  return {};
}

Seconds time_of_calls(const std::vector<KernelCall>& calls, const Device& device) {
  Seconds sum{0};
  for (const KernelCall& call : calls) {
    const Chip chip = chip_of(device, multiplied_by(call));
    sum += Seconds{1e-6 * predict_by(nullptr, call, chip, Level::datasheet).time};
  }
  return sum;
}

PaperRow read_kernel_row(Reader in, const Common& common, const Device& device, const Library& library) {
  const std::size_t before = in.errors().size();
  Timed timed = read_call(in, common, library);
  const auto unit = read_name<TimeUnit>(in, "unit");
  PaperRow row = read_paper_row(in);
  row.label = std::move(timed.label);
  row.unit = name(unit);
  in.reject_unknown_keys();
  if (in.errors().size() > before) return row;
  const double t = time_of_calls(timed.calls, device).count();
  row.predicted = unit == TimeUnit::microseconds   ? 1e6 * t
                  : unit == TimeUnit::milliseconds ? 1e3 * t
                                                   : 1e-12 * timed.flops / t;
  return row;
}

}  // namespace

std::vector<PaperRow> kernel_rows(Reader& in, const DeviceFile& device, const Library& library) {
  Common common{.format = read_name<Format>(in, "format")};
  if (auto heads = in.maybe_mapping("heads")) {
    common.query_heads = read_count(*heads, "query");
    common.key_heads = read_count(*heads, "key");
    common.head_size = read_count(*heads, "size");
    if (common.query_heads % common.key_heads != 0) heads->error("key", "must divide query");
    heads->reject_unknown_keys();
  }
  std::vector<PaperRow> rows;
  for (const Reader& row : read_rows(in, "rows"))
    rows.push_back(read_kernel_row(row, common, device.device, library));
  return rows;
}

}  // namespace inferometer
