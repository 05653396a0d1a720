#include "executor/cuda/kernels/delay.hpp"
#include "tests/bench/gpu_kernel_bench.hpp"

// What stands between the products of Llama-3.1-8B. M: tokens
namespace inferometer::cuda {
namespace {

constexpr std::int64_t width = 4096, inner = 14336, heads = 32, kv_heads = 8, head_dim = 128;

Out rows(const DeviceBuffer& buffer, std::int64_t stride, std::int64_t first = 0) {
  return {as<Bf16>(buffer) + first, stride};
}
In in(Out rows) { return {rows.data, rows.stride}; }

void nothing(benchmark::State& state) {
  if (Bench* b = Bench::on(state, false)) b->time(state, {}, [&] { delay(0, b->queue.stream); });
}

void norm(benchmark::State& state) {
  Bench* b = Bench::on(state, false);
  if (b == nullptr) return;
  const std::int64_t tokens = state.range(0);
  const DeviceBuffer x = values(tokens, width, 1), w = values(1, width, 2), y = memory(tokens * width * 2);
  const RmsNormArguments a{
      .x = in(rows(x, width)), .w = as<Bf16>(w), .y = rows(y, width), .tokens = tokens, .width = width};
  b->time(state, work_of(RmsNorm{.tokens = tokens, .width = width}), [&] { rms_norm(a, b->queue); });
}

void add_norm(benchmark::State& state) {
  Bench* b = Bench::on(state, false);
  if (b == nullptr) return;
  const std::int64_t tokens = state.range(0);
  const DeviceBuffer x = values(tokens, width, 1), r = values(tokens, width, 2), w = values(1, width, 3);
  const DeviceBuffer sum = memory(tokens * width * 2), y = memory(tokens * width * 2);
  const AddRmsNormArguments a{.x = in(rows(x, width)),
                              .residual = in(rows(r, width)),
                              .w = as<Bf16>(w),
                              .sum = rows(sum, width),
                              .y = rows(y, width),
                              .tokens = tokens,
                              .width = width};
  b->time(state, work_of(AddRmsNorm{.tokens = tokens, .width = width}), [&] { add_rms_norm(a, b->queue); });
}

void activation(benchmark::State& state) {
  Bench* b = Bench::on(state, false);
  if (b == nullptr) return;
  const std::int64_t tokens = state.range(0);
  const DeviceBuffer both = values(tokens, 2 * inner, 1), y = memory(tokens * inner * 2);
  const GatedArguments a{.gate = in(rows(both, 2 * inner)),
                         .up = in(rows(both, 2 * inner, inner)),
                         .y = rows(y, inner),
                         .tokens = tokens,
                         .width = inner};
  b->time(state, work_of(GatedActivation{.tokens = tokens, .width = inner}), [&] { gated(a, b->queue); });
}

void quantize(benchmark::State& state) {
  Bench* b = Bench::on(state, false);
  if (b == nullptr) return;
  const std::int64_t tokens = state.range(0);
  const DeviceBuffer x = values(tokens, width, 1), q = memory(tokens * width), scale = memory(4);
  find_input_scale(in(rows(x, width)), tokens, width, as<float>(scale), b->queue);
  const QuantizeArguments a{.x = in(rows(x, width)),
                            .q = {as<std::uint8_t>(q), width, as<float>(scale)},
                            .tokens = tokens,
                            .width = width};
  b->time(state, work_of(Quantize{.tokens = tokens, .width = width, .to = DType::fp8}),
          [&] { quantize_fp8(a, b->queue); });
}

/// Counted as rope and kv_write, less the rotated keys, which stay inside.
void rope_and_kv_write(benchmark::State& state) {
  Bench* b = Bench::on(state, false);
  if (b == nullptr) return;
  const std::int64_t tokens = state.range(0), blocks = (tokens + 15) / 16, kv_width = kv_heads * head_dim;
  const std::int64_t stride = heads * head_dim + 2 * kv_width;
  std::vector<std::int32_t> places;
  for (std::int64_t t = 0; t < tokens; ++t) places.push_back(static_cast<std::int32_t>(t));
  const DeviceBuffer qkv = values(tokens, stride, 1), at = memory(tokens * 4),
                     table = zeros(tokens * head_dim * 4);
  const DeviceBuffer k = memory(blocks * 16 * kv_width * 2), v = memory(blocks * 16 * kv_width * 2);
  cudaMemcpy(at.data(), places.data(), places.size() * 4, cudaMemcpyHostToDevice);
  const RopeArguments turn{.q = rows(qkv, stride),
                           .k = rows(qkv, stride, heads * head_dim),
                           .table = as<float>(table),
                           .positions = as<std::int32_t>(at),
                           .tokens = tokens,
                           .q_heads = heads,
                           .k_heads = kv_heads,
                           .rotary = head_dim,
                           .q_head_stride = head_dim,
                           .k_head_stride = head_dim};
  const KvWriteArguments write{
      .k = in(turn.k),
      .v = in(rows(qkv, stride, heads * head_dim + kv_width)),
      .cache = {.k = k.data(), .v = v.data(), .kv_heads = kv_heads, .head_dim = head_dim, .v_dim = head_dim},
      .slots = as<std::int32_t>(at),
      .tokens = tokens};
  Work work = work_of(RopeApply{.tokens = tokens, .q_heads = heads, .k_heads = kv_heads, .rotary = head_dim});
  const Work written =
      work_of(KvWrite{.tokens = tokens, .kv_heads = kv_heads, .head_dim = head_dim, .v_dim = head_dim});
  work.state += written.state;
  work.activations += written.activations - size_of(2 * tokens * kv_width, DType::bf16);
  b->time(state, work, [&] { rope_kv_write(turn, write, b->queue); });
}

void tokens_of_steps(benchmark::internal::Benchmark* b) {
  for (const std::int64_t tokens : {1, 16, 64, 256, 2048}) b->Arg(tokens);
  timed(b)->ArgName("M");
}

BENCHMARK(nothing)->Apply([](auto* b) { timed(b); });
BENCHMARK(norm)->Apply(tokens_of_steps);
BENCHMARK(add_norm)->Apply(tokens_of_steps);
BENCHMARK(activation)->Apply(tokens_of_steps);
BENCHMARK(quantize)->Apply(tokens_of_steps);
BENCHMARK(rope_and_kv_write)->Apply(tokens_of_steps);

}  // namespace
}  // namespace inferometer::cuda
