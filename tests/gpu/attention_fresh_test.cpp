#include <cuda_fp8.h>

#include <algorithm>

#include "model/operators/attention.hpp"
#include "model/operators/rope.hpp"
#include "tests/gpu/split_memory.hpp"

namespace inferometer::cuda {
namespace {

struct Setting {
  std::string name;
  std::int64_t heads, kv_heads, head_dim, rotary;
  std::vector<std::int64_t> cached;  ///< of each sequence
  bool interleaved = false;
  CacheElement element = CacheElement::bf16;
  std::int64_t block_tokens = 16, window = 0;
  bool sinks = false;
};

/// A paged cache on the device with blocks in an odd order, and what the kernels read of a decode step.
struct Paged {
  std::vector<std::int32_t> table, history_slots, fresh_slots, positions;
  std::vector<Sequence> sequences;
  std::int64_t blocks = 0;

  explicit Paged(const Setting& s) {
    for (const std::int64_t cached : s.cached) blocks += cached / s.block_tokens + 1;
    std::int64_t block = 0;
    for (std::size_t i = 0; i < s.cached.size(); ++i) {
      sequences.push_back({.row = static_cast<std::int32_t>(i),
                           .fresh = 1,
                           .cached = static_cast<std::int32_t>(s.cached[i]),
                           .table = static_cast<std::int32_t>(table.size())});
      for (std::int64_t t = 0; t <= s.cached[i]; ++t) {
        if (t % s.block_tokens == 0) table.push_back(static_cast<std::int32_t>(blocks - 1 - block++));
        const auto slot = static_cast<std::int32_t>(table.back() * s.block_tokens + t % s.block_tokens);
        (t < s.cached[i] ? history_slots : fresh_slots).push_back(slot);
      }
      positions.push_back(static_cast<std::int32_t>(s.cached[i]));
    }
  }
};

/// Three kernels after one another, or one of those that do it all.
enum class Way { apart, tiles, octets };
const char* name(Way way) { return way == Way::apart ? "apart" : way == Way::tiles ? "tiles" : "octets"; }

class GpuAttentionFresh : public OnGpu {
 protected:
  void SetUp() override {
    OnGpu::SetUp();
    if (!IsSkipped() && !gpu.hopper()) GTEST_SKIP() << "needs compute capability 9.0";
  }

  /// Each kernel against rope, kv_write and attention_decode, and against the operators' references.
  void check(const Setting& s) {
    SCOPED_TRACE(s.name);
    const Paged paged(s);
    const auto count = static_cast<std::int64_t>(s.cached.size());
    const auto past = static_cast<std::int64_t>(paged.history_slots.size());
    const std::int64_t width = s.kv_heads * s.head_dim, wide = s.heads * s.head_dim;
    const Array<std::int32_t> table(paged.table), fresh_slots(paged.fresh_slots), positions(paged.positions);
    const Array<Sequence> sequences(paged.sequences);
    const std::vector<float> angles = rope_of(s);
    const Array<float> angles_there(angles);
    std::vector<float> sink_values;
    for (std::int64_t h = 0; h < s.heads; ++h)
      sink_values.push_back(seeded_uniform(9, static_cast<std::uint64_t>(h)));
    const Array<float> sinks(sink_values);
    const Matrix old_k = Matrix::random(past, width, 1), old_v = Matrix::random(past, width, 2);
    const Matrix q = Matrix::random(count, wide, 3, 2.0F), k = Matrix::random(count, width, 4),
                 v = Matrix::random(count, width, 5), y{count, wide};
    // Finite and large where nothing was written: it must not be seen.
    const std::vector<Bf16> stale(static_cast<std::size_t>(paged.blocks * s.block_tokens * width), 0x4646);
    const Array<Bf16> k_apart(stale), v_apart(stale), k_tiles(stale), v_tiles(stale), k_octets(stale),
        v_octets(stale);
    const auto cache = [&](const Array<Bf16>& keys, const Array<Bf16>& values) {
      const KvCache c{.k = keys.data(),
                      .v = values.data(),
                      .element = s.element,
                      .block_tokens = static_cast<std::int32_t>(s.block_tokens),
                      .kv_heads = static_cast<std::int32_t>(s.kv_heads),
                      .head_dim = static_cast<std::int32_t>(s.head_dim),
                      .v_dim = static_cast<std::int32_t>(s.head_dim)};
      const Array<std::int32_t> slots(paged.history_slots);
      if (past > 0)
        kv_write({.k = old_k.in(), .v = old_v.in(), .cache = c, .slots = slots.data(), .tokens = past},
                 queue);
      EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
      return c;
    };
    AttentionArguments a{.q = q.in(),
                         .y = y.out(),
                         .cache = cache(k_tiles, v_tiles),
                         .sequences = sequences.data(),
                         .blocks = table.data(),
                         .heads = static_cast<std::int32_t>(s.heads),
                         .scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(s.head_dim))),
                         .window = static_cast<std::int32_t>(s.window),
                         .sinks = s.sinks ? sinks.data() : nullptr};
    const std::vector<double> right = reference_of(s, angles, {q.values(), k.values(), v.values()},
                                                   {old_k.values(), old_v.values()}, sink_values, a.scale);
    const FreshArguments fresh{.k = k.in(),
                               .v = v.in(),
                               .table = angles_there.data(),
                               .rotary = static_cast<std::int32_t>(s.rotary),
                               .interleaved = s.interleaved};
    const std::vector<double> q_before = q.values(), k_before = k.values();
    const auto attend = [&](Way way, std::int32_t splits, bool listed = false) {
      const SplitMemory memory(paged.sequences, splits, s.kv_heads, s.head_dim);
      for (const std::int32_t resident : {1, 2, 3, 4}) {
        const DecodeSplit split = memory.split(resident, listed);
        cudaMemset2D(y.out().data, static_cast<std::size_t>(y.out().stride) * 2, 0xff,
                     static_cast<std::size_t>(wide) * 2, static_cast<std::size_t>(count));
        if (way == Way::apart) {
          attention_decode(a, count, s.heads / s.kv_heads, split, queue);
        } else {
          (way == Way::octets ? attention_octets : attention_decode_fresh)(a, fresh, count, split, queue);
        }
        EXPECT_LE(distance(y.values(), right), bf16_tolerance)
            << name(way) << ", splits " << splits << ", " << resident << " blocks at once"
            << (listed ? ", listed" : "");
        EXPECT_TRUE(y.gaps_untouched());
      }
    };
    for (const std::int32_t splits : {1, 2, 5, 8, 9, 20}) {
      attend(Way::tiles, splits);
      attend(Way::tiles, splits, true);
    }
    const bool in_octets = attention_in_octets(a.cache, s.heads);
    EXPECT_EQ(in_octets, s.element == CacheElement::bf16 && s.head_dim == 64 && s.heads / s.kv_heads <= 8);
    if (in_octets) {
      a.cache = cache(k_octets, v_octets);
      for (const std::int32_t splits : {1, 2, 5, 8, 9, 20}) attend(Way::octets, splits);
    }
    EXPECT_EQ(q.values(), q_before) << "the queries were written to";
    EXPECT_EQ(k.values(), k_before) << "the keys were written to";
    // The same by three kernels, queries and keys turned in place.
    a.cache = cache(k_apart, v_apart);
    rope({.q = q.out(),
          .k = k.out(),
          .table = angles_there.data(),
          .positions = positions.data(),
          .tokens = count,
          .q_heads = s.heads,
          .k_heads = s.kv_heads,
          .rotary = s.rotary,
          .q_head_stride = s.head_dim,
          .k_head_stride = s.head_dim,
          .interleaved = s.interleaved},
         queue);
    kv_write({.k = k.in(), .v = v.in(), .cache = a.cache, .slots = fresh_slots.data(), .tokens = count},
             queue);
    attend(Way::apart, 1);
    EXPECT_EQ(k_tiles.values(), k_apart.values()) << "keys in the cache";
    EXPECT_EQ(v_tiles.values(), v_apart.values()) << "values in the cache";
    if (in_octets) {
      EXPECT_EQ(k_octets.values(), k_apart.values()) << "keys in the cache, octets";
      EXPECT_EQ(v_octets.values(), v_apart.values()) << "values in the cache, octets";
    }
  }

  static std::vector<float> rope_of(const Setting& s) {
    std::vector<float> table;
    for (std::int64_t p = 0; p <= *std::max_element(s.cached.begin(), s.cached.end()); ++p) {
      for (std::int64_t i = 0; i < s.rotary; ++i) {
        const double angle = static_cast<double>(p) * std::pow(0.8, static_cast<double>(i % (s.rotary / 2)));
        table.push_back(static_cast<float>(i < s.rotary / 2 ? std::cos(angle) : std::sin(angle)));
      }
    }
    return table;
  }

  /// The rotated part of each head through RopeApply, rounded to bf16 as it is stored.   x [count, heads *
  /// head_dim]
  static std::vector<double> turned(const Setting& s, const std::vector<float>& angles, std::vector<double> x,
                                    std::int64_t heads) {
    const auto count = static_cast<std::int64_t>(s.cached.size());
    const RopeApply op{
        .tokens = count, .q_heads = heads, .k_heads = 0, .rotary = s.rotary, .interleaved = s.interleaved};
    const auto place = [&](std::int64_t row, std::int64_t i) {
      return static_cast<std::size_t>(row * s.head_dim + i);
    };
    Arrays<double> reads(3);
    for (std::int64_t row = 0; row < count * heads; ++row) {
      for (std::int64_t i = 0; i < s.rotary; ++i) reads[0].push_back(x[place(row, i)]);
    }
    for (const std::int64_t position : s.cached) {
      for (std::int64_t i = 0; i < s.rotary; ++i)
        reads[2].push_back(angles[static_cast<std::size_t>(position * s.rotary + i)]);
    }
    const std::vector<double> made = reference(op, reads)[0];
    for (std::int64_t row = 0; row < count * heads; ++row) {
      for (std::int64_t i = 0; i < s.rotary; ++i) {
        const double value = made[static_cast<std::size_t>(row * s.rotary + i)];
        x[place(row, i)] = bf16_to_float(float_to_bf16(static_cast<float>(value)));
      }
    }
    return x;
  }

  /// fresh: q, k, v before the rotation   history: k, v of all sequences, one after another
  static std::vector<double> reference_of(const Setting& s, const std::vector<float>& angles,
                                          const Arrays<double>& fresh, const Arrays<double>& history,
                                          const std::vector<float>& sinks, float scale) {
    Attention op{.slices = {},
                 .heads = s.heads,
                 .kv_heads = s.kv_heads,
                 .head_dim = s.head_dim,
                 .v_dim = s.head_dim,
                 .window = s.window,
                 .scale = scale,
                 .sinks = s.sinks};
    const Arrays<double> news{turned(s, angles, fresh[1], s.kv_heads), fresh[2]};
    Arrays<double> reads{turned(s, angles, fresh[0], s.heads), {}, {}};
    const std::int64_t width = s.kv_heads * s.head_dim;
    for (const std::int64_t cached : s.cached) op.slices.push_back({1, cached});
    for (std::size_t m = 0; m < 2; ++m) {
      std::int64_t base = 0;
      for (std::size_t i = 0; i < s.cached.size(); ++i) {
        const std::int64_t hidden = s.cached[i] + 1 - op.slices[i].visible(s.window);
        const auto add = [&](const std::vector<double>& from, std::int64_t first, std::int64_t last) {
          for (std::int64_t e = first * width; e < last * width; ++e)
            reads[m + 1].push_back(as_cached(from[static_cast<std::size_t>(e)], s.element));
        };
        add(history[m], base + hidden, base + s.cached[i]);
        add(news[m], static_cast<std::int64_t>(i), static_cast<std::int64_t>(i) + 1);
        base += s.cached[i];
      }
    }
    if (s.sinks) reads.emplace_back(sinks.begin(), sinks.end());
    return reference(op, reads)[0];
  }
  static double as_cached(double x, CacheElement element) {
    if (element == CacheElement::bf16) return x;
    const auto bits = __nv_cvt_float_to_fp8(static_cast<float>(x), __NV_SATFINITE, __NV_E4M3);
    return static_cast<float>(__half(__nv_cvt_fp8_to_halfraw(bits, __NV_E4M3)));
  }
};

TEST_F(GpuAttentionFresh, TurnsAndAppendsOnTheWay) {
  for (const CacheElement element : {CacheElement::bf16, CacheElement::fp8}) {
    SCOPED_TRACE(element == CacheElement::fp8 ? "fp8" : "bf16");
    check({"first token", 8, 2, 128, 128, {0, 4}, false, element});
    check({"one sequence", 32, 8, 64, 64, {511}, false, element});
    check({"more tiles than stages", 8, 2, 128, 128, {2500}, false, element});
    check({"more tiles of 64 than stages", 8, 2, 64, 64, {2500}, false, element});
    check({"group of 1", 4, 4, 128, 128, {100, 3}, false, element});
    check({"group of 7", 14, 2, 64, 64, {77, 16}, false, element});
    check({"group of 8", 16, 2, 128, 128, {15, 16, 31, 63, 64, 0}, false, element});
    check({"group of 16", 16, 1, 128, 128, {200}, false, element});
    check({"group of 16 of 64", 16, 1, 64, 64, {200}, false, element});
    check({"group of 2", 4, 2, 64, 64, {99, 4}, false, element});
    check({"group of 3", 6, 2, 128, 128, {77, 16}, false, element});
    check({"group of 6", 12, 2, 64, 64, {260}, false, element});
    check({"interleaved", 8, 2, 128, 128, {40, 7}, true, element});
    check({"part of each head", 8, 2, 128, 64, {33}, false, element});
    check({"part of each head, interleaved", 8, 2, 64, 16, {90, 5}, true, element});
    check({"a small part", 4, 1, 64, 8, {12}, false, element});
    check({"blocks of 8", 8, 2, 64, 64, {37, 1, 8}, false, element, 8});
    check({"blocks of 64", 8, 2, 128, 128, {300, 64}, false, element, 64});
    check({"window", 8, 2, 128, 128, {200, 20, 32, 33}, false, element, 16, 33});
    check({"sinks", 8, 2, 64, 64, {90}, false, element, 16, 0, true});
    check({"window and sinks", 16, 2, 64, 64, {300, 3, 128}, false, element, 16, 128, true});
    check({"group of 8 of 64", 16, 2, 64, 64, {15, 16, 31, 63, 64, 0}, false, element});
    check({"group of 1 of 64", 4, 4, 64, 64, {100, 3}, false, element});
    check({"interleaved, of 64", 8, 2, 64, 64, {40, 7}, true, element});
    check({"blocks of 64 of 64", 8, 2, 64, 64, {300, 64}, false, element, 64});
    check({"window of 64", 8, 2, 64, 64, {200, 20, 32, 33}, false, element, 16, 33});
  }
}

TEST_F(GpuAttentionFresh, SeesEachKeyOfAnyContext) {
  for (const std::int64_t keys : {1, 7, 8, 9, 63, 64, 65, 511, 513, 4097}) {
    const std::string name = std::to_string(keys) + " keys";
    check({name, 32, 8, 128, 128, {keys - 1}});
    check({name + " of 64", 32, 8, 64, 64, {keys - 1}, false, CacheElement::bf16, 8});
  }
  for (const std::int64_t head_dim : {64, 128})
    check({"four sequences", 32, 8, head_dim, head_dim, {4096, 0, 511, 70}, false, CacheElement::bf16, 64});
  for (const std::int64_t head_dim : {64, 128})
    check({"long window", 16, 2, head_dim, head_dim, {4500, 2000}, false, CacheElement::bf16, 16, 1025});
}

}  // namespace
}  // namespace inferometer::cuda
