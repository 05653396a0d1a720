#include <cuda_fp8.h>

#include "model/decode_splits.hpp"
#include "model/operators/attention.hpp"
#include "tests/gpu/split_memory.hpp"

namespace inferometer::cuda {
namespace {

struct Setting {
  std::string name;
  std::int64_t heads, kv_heads, head_dim, block_tokens, window;
  bool sinks;
  std::vector<AttentionSlice> slices;
  CacheElement element = CacheElement::bf16;
};

/// A step whose keys and values were written through kv_write into shuffled blocks.
class GpuAttention : public OnGpu {
 protected:
  void check(const Setting& s, bool naive = false) {
    SCOPED_TRACE(s.name);
    const std::int64_t width = s.kv_heads * s.head_dim;
    std::int64_t rows = 0, blocks = 0, all_tokens = 0;
    for (const AttentionSlice& slice : s.slices) {
      rows += slice.fresh;
      all_tokens += slice.fresh + slice.cached;
      blocks += (slice.fresh + slice.cached + s.block_tokens - 1) / s.block_tokens;
    }
    std::vector<std::int32_t> table, slots;
    std::vector<Sequence> sequences;
    std::int64_t block = 0, row = 0;
    for (const AttentionSlice& slice : s.slices) {
      sequences.push_back({.row = static_cast<std::int32_t>(row),
                           .fresh = static_cast<std::int32_t>(slice.fresh),
                           .cached = static_cast<std::int32_t>(slice.cached),
                           .table = static_cast<std::int32_t>(table.size())});
      const std::int64_t total = slice.fresh + slice.cached;
      for (std::int64_t t = 0; t < total; ++t) {
        if (t % s.block_tokens == 0) table.push_back(static_cast<std::int32_t>(blocks - 1 - block++));
        slots.push_back(static_cast<std::int32_t>(table.back() * s.block_tokens + t % s.block_tokens));
      }
      row += slice.fresh;
    }
    const Matrix k = Matrix::random(all_tokens, width, 1), v = Matrix::random(all_tokens, width, 2);
    const Matrix q = Matrix::random(rows, s.heads * s.head_dim, 3, 2.0F), y{rows, s.heads * s.head_dim};
    // Where no sequence wrote, the cache is finite, as the backend clears it.
    const std::vector<Bf16> clear(static_cast<std::size_t>(blocks * s.block_tokens * width), 0);
    const Array<Bf16> k_cache(clear), v_cache(clear);
    const Array<std::int32_t> table_there(table), slots_there(slots);
    const Array<Sequence> sequences_there(sequences);
    std::vector<float> sink_values;
    for (std::int64_t h = 0; h < s.heads; ++h)
      sink_values.push_back(seeded_uniform(9, static_cast<std::uint64_t>(h)));
    const Array<float> sinks(sink_values);
    const KvCache cache{.k = k_cache.data(),
                        .v = v_cache.data(),
                        .element = s.element,
                        .block_tokens = static_cast<std::int32_t>(s.block_tokens),
                        .kv_heads = static_cast<std::int32_t>(s.kv_heads),
                        .head_dim = static_cast<std::int32_t>(s.head_dim),
                        .v_dim = static_cast<std::int32_t>(s.head_dim)};
    kv_write({.k = k.in(), .v = v.in(), .cache = cache, .slots = slots_there.data(), .tokens = all_tokens},
             queue);
    const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(s.head_dim)));
    const AttentionArguments a{.q = q.in(),
                               .y = y.out(),
                               .cache = cache,
                               .sequences = sequences_there.data(),
                               .blocks = table_there.data(),
                               .heads = static_cast<std::int32_t>(s.heads),
                               .scale = scale,
                               .window = static_cast<std::int32_t>(s.window),
                               .sinks = s.sinks ? sinks.data() : nullptr};
    const auto right = reference_of(s, q.values(), cached(k.values(), s.element),
                                    cached(v.values(), s.element), sink_values, scale);
    const auto poison = [&] {
      cudaMemset2D(y.out().data, static_cast<std::size_t>(y.out().stride) * 2, 0xff,
                   static_cast<std::size_t>(s.heads * s.head_dim) * 2, static_cast<std::size_t>(rows));
    };
    if (naive) {
      const Array<float> scores(
          std::vector<float>(static_cast<std::size_t>(s.heads * all_tokens * rows), NAN));
      for (const Sequence& one : sequences) attention_naive(a, one, scores.data(), queue);
      EXPECT_LE(distance(y.values(), right), bf16_tolerance) << "naive";
      return;
    }
    std::int64_t longest = 0, most_keys = 0;
    for (const AttentionSlice& slice : s.slices) {
      longest = std::max(longest, slice.fresh);
      most_keys = std::max(most_keys, slice.fresh + slice.cached);
    }
    attention_portable(a, static_cast<std::int64_t>(sequences.size()), longest, queue);
    EXPECT_LE(distance(y.values(), right), bf16_tolerance) << "portable";
    EXPECT_TRUE(y.gaps_untouched());
    if (!gpu.hopper() || !attention_tiles(cache)) return;
    const std::int64_t group = s.heads / s.kv_heads;
    std::vector<AttentionTile> tiles;
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      for (std::int32_t r = 0; r < sequences[i].fresh * group; r += static_cast<std::int32_t>(prefill_rows))
        tiles.push_back({static_cast<std::int32_t>(i), r});
    }
    const Array<AttentionTile> tiles_there(tiles);
    // With few multiprocessors each block takes several pieces of work, one behind another.
    for (const int processors : {queue.processors, 3, 1}) {
      if (s.element != CacheElement::bf16) continue;
      Queue few = queue;
      few.processors = processors;
      poison();
      attention_prefill(a, tiles_there.data(), static_cast<std::int64_t>(tiles.size()), few);
      EXPECT_LE(distance(y.values(), right), bf16_tolerance) << "tiled, " << processors << " blocks";
      EXPECT_TRUE(y.gaps_untouched());
    }
    if (longest * group > decode_rows) return;
    const auto count = static_cast<std::int64_t>(sequences.size());
    const std::int64_t key_bytes = 2 * s.head_dim * (s.element == CacheElement::fp8 ? 1 : 2);
    EXPECT_EQ(attention_in_octets(cache, s.heads),
              octets_fit({.key_bytes = key_bytes, .head_dim = s.head_dim, .group = s.heads / s.kv_heads}));
    for (const std::int32_t splits : {1, 2, 5, 8, 9, 20}) {
      const SplitMemory memory(sequences, splits, s.kv_heads, s.head_dim);
      for (const std::int32_t resident : {1, 2, 3, 4}) {
        for (const bool listed : {false, true}) {
          poison();
          attention_decode(a, count, longest * group, memory.split(resident, listed), queue);
          EXPECT_LE(distance(y.values(), right), bf16_tolerance)
              << "decode, splits " << splits << ", " << resident << " blocks at once"
              << (listed ? ", listed" : "");
          EXPECT_TRUE(y.gaps_untouched());
        }
      }
    }
  }

  /// Values as a cache of that element holds them.
  static std::vector<double> cached(std::vector<double> values, CacheElement element) {
    if (element == CacheElement::bf16) return values;
    for (double& x : values) {
      const auto bits = __nv_cvt_float_to_fp8(static_cast<float>(x), __NV_SATFINITE, __NV_E4M3);
      x = static_cast<float>(__half(__nv_cvt_fp8_to_halfraw(bits, __NV_E4M3)));
    }
    return values;
  }

  static std::vector<double> reference_of(const Setting& s, const std::vector<double>& q,
                                          const std::vector<double>& k, const std::vector<double>& v,
                                          const std::vector<float>& sinks, float scale) {
    const Attention op{.slices = s.slices,
                       .heads = s.heads,
                       .kv_heads = s.kv_heads,
                       .head_dim = s.head_dim,
                       .v_dim = s.head_dim,
                       .window = s.window,
                       .scale = scale,
                       .sinks = s.sinks};
    // The operator's keys are those that some query sees.
    const auto visible = [&](const std::vector<double>& all) {
      std::vector<double> seen;
      const std::int64_t width = s.kv_heads * s.head_dim;
      std::int64_t base = 0;
      for (const AttentionSlice& slice : s.slices) {
        const std::int64_t total = slice.cached + slice.fresh, hidden = total - slice.visible(s.window);
        seen.insert(seen.end(), all.begin() + (base + hidden) * width, all.begin() + (base + total) * width);
        base += total;
      }
      return seen;
    };
    Arrays<double> reads{q, visible(k), visible(v)};
    if (s.sinks) reads.emplace_back(sinks.begin(), sinks.end());
    return reference(op, reads)[0];
  }
};

TEST_F(GpuAttention, DecodeSteps) {
  check({"one short sequence", 8, 2, 128, 16, 0, false, {{1, 4}}});
  check({"one sequence", 32, 8, 128, 16, 0, false, {{1, 511}}});
  check({"block boundaries", 4, 1, 128, 16, 0, false, {{1, 15}, {1, 16}, {1, 31}, {1, 63}, {1, 64}, {1, 0}}});
  check({"more tiles than stages", 8, 2, 128, 16, 0, false, {{1, 2500}}});
  check({"head of 64", 8, 8, 64, 16, 0, false, {{1, 100}, {1, 2500}}});
  check({"up to 16 rows of 64", 8, 2, 64, 16, 0, false, {{4, 60}, {3, 0}, {1, 200}}});
  check({"group of 2", 4, 2, 64, 16, 0, false, {{1, 100}, {4, 3}}});
  check({"group of 3, two tokens", 6, 2, 64, 16, 17, true, {{2, 15}, {1, 100}, {2, 31}}});
  check({"group of 6", 12, 2, 128, 16, 0, false, {{1, 300}}});
  check({"group of 1, eight tokens", 2, 2, 128, 16, 5, false, {{8, 60}, {3, 14}}});
  check({"blocks of 64, heads of 128", 8, 2, 128, 64, 0, false, {{1, 300}, {1, 65}}});
  check({"group of 5", 10, 2, 128, 16, 0, false, {{1, 77}}});
  check({"several new tokens", 8, 2, 128, 16, 0, false, {{4, 60}, {3, 0}, {1, 200}}});
  check({"blocks of 4", 8, 2, 128, 4, 0, false, {{1, 37}, {1, 1}}});
  check({"blocks of 8", 8, 2, 128, 8, 0, false, {{1, 37}, {1, 1}}});
  check({"blocks of 64", 8, 2, 64, 64, 0, false, {{1, 300}}});
  check({"window", 8, 2, 128, 16, 33, false, {{1, 200}, {1, 20}, {2, 32}}});
  check({"sinks", 8, 2, 64, 16, 0, true, {{1, 90}}});
  check({"odd head", 4, 2, 24, 16, 7, true, {{1, 30}, {2, 5}}});
}

TEST_F(GpuAttention, CacheInFp8) {
  const auto fp8 = CacheElement::fp8;
  check({"one short sequence", 8, 2, 128, 16, 0, false, {{1, 4}}, fp8});
  check({"one sequence", 32, 8, 128, 16, 0, false, {{1, 511}}, fp8});
  check({"block boundaries", 4, 1, 64, 16, 0, false, {{1, 15}, {1, 16}, {1, 31}, {1, 63}, {1, 0}}, fp8});
  check({"more tiles than stages", 8, 2, 128, 16, 0, false, {{1, 2500}}, fp8});
  check({"group of 7", 14, 2, 64, 16, 0, false, {{1, 2577}}, fp8});
  check({"up to 16 rows of 64", 8, 2, 64, 16, 0, false, {{4, 60}, {3, 0}, {1, 200}}, fp8});
  check({"a key head a query head", 4, 4, 128, 64, 0, false, {{1, 300}, {1, 2}}, fp8});
  check({"several new tokens", 8, 2, 128, 16, 0, false, {{4, 60}, {3, 0}, {1, 200}}, fp8});
  check({"blocks of 8", 8, 2, 128, 8, 0, false, {{1, 37}, {1, 1}}, fp8});
  check({"blocks of 4", 8, 2, 128, 4, 0, false, {{1, 37}, {1, 1}}, fp8});
  check({"window and sinks", 8, 2, 64, 16, 33, true, {{1, 200}, {1, 20}, {2, 32}}, fp8});
  check({"odd head", 4, 2, 24, 16, 7, true, {{1, 30}, {2, 5}}, fp8});
  check({"prompt", 8, 2, 128, 16, 0, false, {{50, 0}, {1, 9}}, fp8});
  check({"naive", 8, 2, 64, 16, 0, false, {{20, 3}}, fp8}, true);
}

TEST_F(GpuAttention, PrefillAndMixedSteps) {
  check({"prompt", 8, 2, 128, 16, 0, false, {{150, 0}}});
  check({"head of 64", 4, 4, 64, 16, 0, false, {{129, 0}, {64, 0}}});
  check({"behind history", 8, 2, 128, 16, 0, false, {{70, 50}, {1, 90}, {33, 7}}});
  check({"group of 5", 10, 2, 128, 16, 0, false, {{41, 12}}});
  check({"window", 8, 2, 128, 16, 40, false, {{150, 30}}});
  check({"sinks", 8, 8, 64, 32, 50, true, {{90, 80}}});
  check({"blocks of 8", 8, 2, 64, 8, 0, false, {{99, 1}}});
  check({"blocks of 128", 8, 2, 64, 128, 0, false, {{150, 0}, {600, 40}}});
  check({"blocks of 128, heads of 128", 8, 2, 128, 128, 0, false, {{150, 0}, {600, 40}}});
  check({"long and short", 8, 2, 128, 16, 0, true, {{150, 300}, {400, 40}, {33, 500}}});
  check({"odd head", 4, 2, 24, 4, 0, false, {{33, 5}}});
}

TEST_F(GpuAttention, NaiveWritesItsScores) {
  check({"prompt", 8, 2, 128, 16, 0, false, {{50, 0}}}, true);
  check({"mixed", 4, 2, 24, 4, 9, true, {{10, 20}, {1, 7}}}, true);
}

}  // namespace
}  // namespace inferometer::cuda
