#include "executor/cuda/inputs.hpp"
#include "model/decode_splits.hpp"
#include "tests/bench/gpu_kernel_bench.hpp"

// Attention of Llama-3.1-8B: 32 query heads and 8 key heads of 128, causal, against a paged cache in bf16.
namespace inferometer::cuda {
namespace {

constexpr std::int64_t heads = 32, kv_heads = 8, head_dim = 128;

/// `batch` sequences of `fresh` new tokens behind `cached` ones; blocks of the cache in reverse.
struct Attended {
  Attended(std::int64_t batch, std::int64_t fresh, std::int64_t cached, std::int64_t block) {
    const std::int64_t each = (fresh + cached + block - 1) / block, blocks = batch * each;
    for (std::int64_t s = 0; s < batch; ++s) {
      Slice slice{.sequence = s,
                  .tokens = std::vector<std::int32_t>(static_cast<std::size_t>(fresh), 0),
                  .fresh = fresh,
                  .cached = cached,
                  .block_table = {}};
      for (std::int64_t b = 0; b < each; ++b)
        slice.block_table.push_back(static_cast<std::int32_t>(blocks - 1 - s * each - b));
      step.slices.push_back(std::move(slice));
    }
    auto in = step_inputs(step, {blocks, block}, 1);
    auto made = DeviceInputs::of(limits_of(step, heads / kv_heads));
    require(in && made, "inputs of a step");
    inputs = std::move(*made);
    inputs.send({.step = &step, .inputs = std::move(*in)}, heads / kv_heads, false, {}, nullptr);
    q = values(batch * fresh, heads * head_dim, 1);
    y = memory(batch * fresh * heads * head_dim * 2);
    k = values(blocks * block * kv_heads, head_dim, 2);
    v = values(blocks * block * kv_heads, head_dim, 3);
    arguments = {.q = {as<Bf16>(q), heads * head_dim},
                 .y = {as<Bf16>(y), heads * head_dim},
                 .cache = {.k = k.data(),
                           .v = v.data(),
                           .block_tokens = static_cast<std::int32_t>(block),
                           .kv_heads = kv_heads,
                           .head_dim = head_dim,
                           .v_dim = head_dim},
                 .sequences = inputs.sequences(),
                 .blocks = inputs.tables(),
                 .heads = heads,
                 .scale = 0.088F};
  }
  Work work() const {
    return work_of(Attention{.slices = features(step).slices,
                             .heads = heads,
                             .kv_heads = kv_heads,
                             .head_dim = head_dim,
                             .v_dim = head_dim});
  }
  Step step;
  DeviceInputs inputs;
  DeviceBuffer q, y, k, v;
  AttentionArguments arguments;
};

void prefill(benchmark::State& state) {
  Bench* b = Bench::on(state, true);
  if (b == nullptr) return;
  const Attended a(state.range(0), state.range(1), 0, 64);
  b->time(state, a.work(),
          [&] { attention_prefill(a.arguments, a.inputs.tiles(), a.inputs.tile_count(), b->queue); });
}
BENCHMARK(prefill)->Apply([](auto* b) {
  timed(b)->Args({1, 2048})->Args({8, 2048})->Args({1, 8192})->ArgNames({"batch", "prompt"});
});

/// As many splits as the backend makes, and as many blocks at once.
void decode(benchmark::State& state) {
  Bench* b = Bench::on(state, true);
  if (b == nullptr) return;
  const std::int64_t batch = state.range(0), context = state.range(1);
  const Attended a(batch, 1, context - 1, 16);
  const DecodeChoice choice = choose_decode({.pairs = batch * kv_heads,
                                             .longest = context,
                                             .mean = context,
                                             .key_bytes = 4 * head_dim,
                                             .head_dim = head_dim,
                                             .group = heads / kv_heads},
                                            {b->queue.processors, resident_decode_blocks(head_dim)}, false);
  const DeviceBuffer partial = memory(decode_partials(batch, kv_heads, choice.splits, head_dim) * 4),
                     tickets = zeros(batch * kv_heads * 4);
  b->time(state, a.work(), [&] {
    attention_decode(a.arguments, batch, heads / kv_heads,
                     {choice.splits, choice.resident, as<float>(partial), as<std::uint32_t>(tickets)},
                     b->queue);
  });
  state.counters["splits"] = choice.splits;
  state.counters["resident"] = choice.resident;
}
BENCHMARK(decode)->Apply([](auto* b) {
  timed(b)->ArgsProduct({{1, 64, 256}, {512, 1024, 4096}})->ArgNames({"batch", "context"});
});

}  // namespace
}  // namespace inferometer::cuda
