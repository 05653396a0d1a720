#include <benchmark/benchmark.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "executor/cpu/attention_plan.hpp"
#include "executor/cpu/kernels.hpp"
#include "executor/cpu/products.hpp"
#include "model/operators/attention.hpp"

// What the CPU backend's roofline is about: achieved read bandwidth of weights and keys, and matrix rate.
namespace inferometer::cpu {
namespace {

std::int64_t width_of(DType dtype) { return size_of(1, dtype).value; }

/// Arguments: rows, out, in, dtype.
void product(benchmark::State& state) {
  const std::int64_t rows = state.range(0), out = state.range(1), in = state.range(2);
  const auto dtype = static_cast<DType>(state.range(3));
  const DType y_dtype = dtype == DType::f32 ? DType::f32 : DType::bf16;
  const std::vector<char> w(static_cast<std::size_t>(size_of(out * in, dtype).value), 1);
  const std::vector<char> x(static_cast<std::size_t>(size_of(rows * in, dtype).value), 1);
  std::vector<char> y(static_cast<std::size_t>(size_of(rows * out, y_dtype).value));
  const std::vector<float> scales(static_cast<std::size_t>(out + rows), 1.0F);
  Products products;
  const auto packed =
      products.pack({.values = w.data(), .dtype = dtype, .scales = scales.data(), .out = out, .in = in});
  if (!packed) return state.SkipWithError("not packed");
  for (auto _ : state) {
    products.multiply(*packed, {x.data(), dtype, rows, in, scales.data()}, {y.data(), y_dtype, out});
  }
  const auto n = static_cast<double>(state.iterations());
  state.counters["W_bytes/s"] = {n * static_cast<double>(size_of(out * in, dtype).value),
                                 benchmark::Counter::kIsRate};
  state.counters["FLOP/s"] = {n * 2 * static_cast<double>(rows * out * in), benchmark::Counter::kIsRate};
  state.SetLabel(std::string{name(dtype)});
}
void product_sizes(benchmark::internal::Benchmark* b) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::int8}) {
    for (const auto& [out, in] :
         {std::pair{576, 576}, {1536, 576}, {576, 1536}, {49152, 576}, {1024, 3072}, {4096, 4096}}) {
      for (const int rows : {1, 2, 4, 8, 16, 32, 64, 128, 256, 512})
        b->Args({rows, out, in, static_cast<int>(dtype)});
    }
  }
}
BENCHMARK(product)->Apply(product_sizes)->ArgNames({"M", "N", "K", "dtype"})->UseRealTime();

/// Arguments: sequences, new tokens, cached tokens, heads, kv heads, head size, dtype, naive.
void attention(benchmark::State& state) {
  const std::int64_t count = state.range(0), fresh = state.range(1), cached = state.range(2);
  const std::int64_t heads = state.range(3), kv_heads = state.range(4), dim = state.range(5), block = 16;
  const auto dtype = static_cast<DType>(state.range(6));
  const bool naive = state.range(7) != 0;
  const std::int64_t blocks = (fresh + cached + block - 1) / block, tokens = count * fresh;
  std::vector<std::int32_t> table;
  for (std::int64_t i = 0; i < count * blocks; ++i) table.push_back(static_cast<std::int32_t>(i));
  std::vector<SequenceBlocks> sequences;
  for (std::int64_t s = 0; s < count; ++s) sequences.push_back({fresh, cached, table.data() + s * blocks});
  const auto cache_bytes =
      static_cast<std::size_t>(count * blocks * block * kv_heads * dim * width_of(dtype));
  std::vector<char> k(cache_bytes, 1), v(cache_bytes, 1);
  std::vector<char> q(static_cast<std::size_t>(tokens * heads * dim * width_of(dtype)), 1), y(q.size());
  AttentionArguments a{.q = {q.data(), heads * dim},
                       .y = {y.data(), heads * dim},
                       .dtype = dtype,
                       .cache = {.k = k.data(),
                                 .v = v.data(),
                                 .dtype = dtype,
                                 .block_tokens = block,
                                 .kv_heads = kv_heads,
                                 .head_dim = dim,
                                 .v_dim = dim},
                       .sequences = sequences.data(),
                       .count = count,
                       .heads = heads,
                       .scale = 0.125F,
                       .threads = threads()};
  std::vector<float> workspace(
      static_cast<std::size_t>(naive ? attention_naive_workspace(a) : attention_tiled_workspace(a)));
  a.workspace = workspace.data();
  for (auto _ : state) naive ? kernels().attention_naive(a) : kernels().attention_tiled(a);
  const auto n = static_cast<double>(state.iterations());
  const std::int64_t pairs = count * AttentionSlice{fresh, cached}.pairs(0);
  state.counters["KV_bytes/s"] = {
      n * 2 * static_cast<double>(count * (fresh + cached) * kv_heads * dim * width_of(dtype)),
      benchmark::Counter::kIsRate};
  state.counters["FLOP/s"] = {n * static_cast<double>(heads * pairs * (4 * dim + 3)),
                              benchmark::Counter::kIsRate};
  state.SetLabel(std::string{name(dtype)} + (naive ? " naive" : " tiled"));
}
void attention_sizes(benchmark::internal::Benchmark* b) {
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (const int naive : {0, 1}) {
      for (const auto& [heads, kv_heads, dim] : {std::array{9, 3, 64}, {16, 8, 128}}) {
        for (const auto& [count, fresh, cached] : {std::array{1, 1, 127},
                                                   {1, 1, 1023},
                                                   {1, 1, 8191},
                                                   {16, 1, 1023},
                                                   {1, 128, 0},
                                                   {1, 512, 0},
                                                   {1, 2048, 0}}) {
          b->Args({count, fresh, cached, heads, kv_heads, dim, static_cast<int>(dtype), naive});
        }
      }
    }
  }
}
BENCHMARK(attention)
    ->Apply(attention_sizes)
    ->ArgNames({"seqs", "fresh", "cached", "heads", "kv", "dim", "dtype", "naive"})
    ->UseRealTime();

}  // namespace
}  // namespace inferometer::cpu
