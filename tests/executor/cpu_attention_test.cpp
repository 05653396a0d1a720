#include "executor/cpu/attention_plan.hpp"
#include "model/operators/attention.hpp"
#include "tests/executor/cpu_arrays.hpp"

namespace inferometer::cpu {
namespace {

class CpuAttention : public CpuKernels {};
INSTANTIATE_TEST_SUITE_P(Variants, CpuAttention, testing::ValuesIn(settings()), setting_name);

struct Shape {
  std::int64_t heads, kv_heads, head_dim, v_dim;
  bool v_in_k = false;
};

/// A paged cache with its blocks in a shuffled order; everything that is not written is NaN.
struct Cache {
  Matrix k, v;
  KvCache view;
  std::vector<std::vector<std::int32_t>> tables;

  Cache(DType dtype, const Shape& s, std::int64_t block_tokens, const std::vector<AttentionSlice>& slices)
      : k(dtype, 1, 0), v(dtype, 1, 0) {
    std::int32_t blocks = 0;
    for (const AttentionSlice& slice : slices) {
      auto& table = tables.emplace_back();
      for (std::int64_t at = 0; at < slice.cached + slice.fresh; at += block_tokens)
        table.push_back(blocks++);
    }
    for (auto& table : tables) {
      for (std::int32_t& b : table) b = blocks - 1 - b;
    }
    k = Matrix{dtype, blocks, s.kv_heads * s.head_dim * block_tokens, 0};
    v = Matrix{dtype, blocks, s.kv_heads * s.v_dim * block_tokens, 0};
    view = {.k = k.data(),
            .v = s.v_in_k ? nullptr : v.data(),
            .dtype = dtype,
            .block_tokens = block_tokens,
            .kv_heads = s.kv_heads,
            .head_dim = s.head_dim,
            .v_dim = s.v_dim};
  }
};

/// Runs both kernels on random inputs whose keys and values came through kv_write, and compares with the
/// operator's reference.
void check(const Kernels& kernels, DType dtype, DType kv_dtype, const Shape& s,
           std::vector<AttentionSlice> slices, std::int64_t block_tokens = 16, std::int64_t window = 0,
           bool sinks = false, std::int64_t threads = 2) {
  const Attention op{.slices = slices,
                     .heads = s.heads,
                     .kv_heads = s.kv_heads,
                     .head_dim = s.head_dim,
                     .v_dim = s.v_dim,
                     .window = window,
                     .scale = 1.0 / std::sqrt(static_cast<double>(s.head_dim)),
                     .sinks = sinks,
                     .v_in_k = s.v_in_k};
  Cache cache{kv_dtype, s, block_tokens, slices};
  Arrays<double> reads(3);
  std::vector<SequenceBlocks> sequences;
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const std::int64_t total = slices[i].cached + slices[i].fresh, hidden = total - slices[i].visible(window);
    Matrix k = Matrix::random(kv_dtype, total, s.kv_heads * s.head_dim, 10 + i, 2.0F);
    Matrix v = Matrix::random(kv_dtype, total, s.kv_heads * s.v_dim, 20 + i);
    std::vector<std::int32_t> slots;
    for (std::int64_t t = 0; t < total; ++t) {
      slots.push_back(static_cast<std::int32_t>(
          cache.tables[i][static_cast<std::size_t>(t / block_tokens)] * block_tokens + t % block_tokens));
    }
    // Tokens that the window hides are never written: nobody may read them.
    const std::int64_t bytes = (kv_dtype == DType::bf16 ? 2 : 4) * hidden;
    kernels.kv_write({.k = {static_cast<char*>(k.data()) + bytes * k.stride(), k.stride()},
                      .v = {static_cast<char*>(v.data()) + bytes * v.stride(), v.stride()},
                      .cache = cache.view,
                      .slots = slots.data() + hidden,
                      .dtype = kv_dtype,
                      .tokens = total - hidden});
    for (std::int64_t t = hidden; t < total; ++t) {
      for (std::int64_t c = 0; c < s.kv_heads * s.head_dim; ++c) reads[1].push_back(k(t, c));
      for (std::int64_t c = 0; c < s.kv_heads * s.v_dim; ++c) reads[2].push_back(v(t, c));
    }
    sequences.push_back({slices[i].fresh, slices[i].cached, cache.tables[i].data()});
  }
  Matrix q = Matrix::random(dtype, op.tokens(), s.heads * s.head_dim, 1, 2.0F);
  Matrix sink = Matrix::random(DType::f32, 1, s.heads, 2, 3.0F, 0);
  reads[0] = q.values();
  if (s.v_in_k) reads.pop_back();
  if (sinks) reads.push_back(sink.values());
  Arrays<double> expected(1, std::vector<double>(static_cast<std::size_t>(op.tokens() * s.heads * s.v_dim)));
  op.reference(reads, expected);

  for (const bool naive : {false, true}) {
    Matrix y{dtype, op.tokens(), s.heads * s.v_dim};
    AttentionArguments a{.q = q.in(),
                         .y = y.out(),
                         .dtype = dtype,
                         .cache = cache.view,
                         .sequences = sequences.data(),
                         .count = static_cast<std::int64_t>(sequences.size()),
                         .heads = s.heads,
                         .scale = static_cast<float>(op.scale),
                         .window = window,
                         .sinks = sinks ? static_cast<const float*>(sink.data()) : nullptr,
                         .threads = threads};
    const std::int64_t floats = naive ? attention_naive_workspace(a) : attention_tiled_workspace(a);
    std::vector<float> workspace(static_cast<std::size_t>(floats), NAN);
    a.workspace = workspace.data();
    naive ? kernels.attention_naive(a) : kernels.attention_tiled(a);
    // Sums over keys in another order than the reference's: a few roundings of f32, or the one to bf16.
    EXPECT_LE(distance(y.values(), expected[0]), dtype == DType::bf16 ? 1.0 / 256 : 2e-6)
        << (naive ? "naive" : "tiled") << " heads " << s.heads << "/" << s.kv_heads << " dim " << s.head_dim
        << "/" << s.v_dim << " block " << block_tokens << " window " << window << " sinks " << sinks;
    EXPECT_TRUE(y.gaps_untouched());
  }
}

TEST_P(CpuAttention, OfManyHeadShapes) {
  for (const Shape& s : {Shape{1, 1, 64, 64}, Shape{9, 3, 64, 64}, Shape{4, 1, 80, 80}, Shape{8, 2, 128, 128},
                         Shape{2, 2, 192, 128}, Shape{4, 2, 4, 4}, Shape{3, 1, 10, 7}, Shape{6, 2, 24, 40}}) {
    check(k, dtype, dtype, s, {{1, 0}, {5, 0}, {1, 37}, {3, 64}});
  }
}

TEST_P(CpuAttention, OfLatentValuesInsideTheKeys) {
  check(k, dtype, dtype, {16, 1, 576, 512, true}, {{1, 0}, {3, 30}, {1, 100}});
  check(k, dtype, dtype, {5, 1, 40, 24, true}, {{2, 17}}, 5);
}

TEST_P(CpuAttention, WithAnyBlockSize) {
  for (const std::int64_t block : {1, 3, 16, 24, 32, 64, 256}) {
    check(k, dtype, dtype, {6, 2, 64, 64}, {{70, 5}, {1, 129}}, block);
  }
}

TEST_P(CpuAttention, ThroughASlidingWindow) {
  for (const std::int64_t window : {1, 2, 15, 64, 100, 1000}) {
    for (const std::int64_t block : {16, 7}) {
      check(k, dtype, dtype, {4, 2, 64, 64}, {{1, 0}, {1, 200}, {90, 150}, {3, 63}}, block, window);
    }
  }
}

TEST_P(CpuAttention, WithSinks) {
  check(k, dtype, dtype, {8, 1, 64, 64}, {{40, 0}, {1, 300}}, 16, 0, true);
  check(k, dtype, dtype, {8, 1, 64, 64}, {{40, 0}, {1, 300}}, 16, 128, true);
}

TEST_P(CpuAttention, OfOneLongSequenceIsSplitAmongThreads) {
  for (const std::int64_t threads : {1, 2, 8}) {
    check(k, dtype, dtype, {3, 1, 64, 64}, {{1, 2100}}, 16, 0, false, threads);
    check(k, dtype, dtype, {3, 1, 64, 64}, {{1, 2100}, {1, 9}}, 16, 0, true, threads);
    check(k, dtype, dtype, {3, 1, 64, 64}, {{20, 1100}}, 16, 700, true, threads);
  }
}

TEST_P(CpuAttention, OverACacheOfAnotherType) {
  check(k, dtype, DType::bf16, {4, 2, 64, 64}, {{5, 40}});
  check(k, dtype, DType::f32, {4, 2, 64, 64}, {{5, 40}});
}

TEST_P(CpuAttention, OfALongPrompt) { check(k, dtype, dtype, {6, 2, 64, 64}, {{300, 0}, {130, 33}}); }

}  // namespace
}  // namespace inferometer::cpu
