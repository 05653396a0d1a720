#include "executor/cuda/kernels/experts.hpp"

#include <algorithm>

#include "executor/cuda/launch_experts.hpp"
#include "executor/cuda/tensor_map.hpp"
#include "model/operators/moe.hpp"
#include "tests/gpu/device.hpp"

namespace inferometer::cuda {
namespace {

using GpuExperts = OnGpu;

constexpr auto nan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> random_floats(std::int64_t count, std::uint64_t seed, float size = 1.0F) {
  std::vector<float> all;
  for (std::int64_t i = 0; i < count; ++i)
    all.push_back(size * seeded_uniform(mix(seed), static_cast<std::uint64_t>(i)));
  return all;
}
std::vector<double> doubles(const auto& values) { return {values.begin(), values.end()}; }

void check_router(const Router& op, const std::vector<float>& logits, const Queue& queue) {
  const std::vector<float> correction = random_floats(op.experts, 7, 0.3F);
  const Array<float> logits_there(logits), correction_there(correction);
  const auto count = static_cast<std::size_t>(op.tokens * op.top_k);
  const Array<std::int32_t> ids(std::vector<std::int32_t>(count + 8, -1));
  const Array<float> weights(std::vector<float>(count + 8, nan));
  RouterArguments a = routing_rule(op);
  a.logits = logits_there.data();
  a.stride = op.experts;
  a.correction = op.correction ? correction_there.data() : nullptr;
  a.ids = ids.data();
  a.weights = weights.data();
  route(a, queue);
  Arrays<double> reads{doubles(logits)};
  if (op.correction) reads.push_back(doubles(correction));
  const auto right = reference(op, reads);
  auto chosen = doubles(ids.values()), weighed = doubles(weights.values());
  for (std::size_t i = count; i < chosen.size(); ++i) EXPECT_TRUE(chosen[i] == -1 && std::isnan(weighed[i]));
  chosen.resize(count);
  weighed.resize(count);
  EXPECT_EQ(chosen, right[0]) << op.experts << " experts, " << op.tokens << " tokens";
  EXPECT_LE(distance(weighed, right[1]), 1e-5) << op.experts << " experts, " << op.tokens << " tokens";
}

std::vector<Router> rules() {
  return {
      {.experts = 8, .top_k = 2, .normalize = true},             // Mixtral
      {.experts = 128, .top_k = 8, .normalize = true},           // Qwen3-MoE
      {.experts = 32, .top_k = 4, .softmax_after_top_k = true},  // gpt-oss
      {.experts = 160,                                           // DeepSeek-V2
       .top_k = 6,
       .groups = 8,
       .top_groups = 3,
       .group_rank = GroupRank::best,
       .scaling = 16.0},
      {.experts = 256,  // DeepSeek-V3
       .top_k = 8,
       .score = RouterScore::sigmoid,
       .normalize = true,
       .correction = true,
       .groups = 8,
       .top_groups = 4,
       .group_rank = GroupRank::best_two,
       .scaling = 2.5},
      {.experts = 7, .top_k = 7},
      {.experts = 1, .top_k = 1, .normalize = true},
      {.experts = 600, .top_k = 32, .normalize = true},
  };
}

TEST_F(GpuExperts, RouterEqualsTheReference) {
  for (Router op : rules()) {
    for (const std::int64_t tokens : {1, 3, 4, 129}) {
      op.tokens = tokens;
      check_router(op, random_floats(tokens * op.experts, 3, 4.0F), queue);
    }
  }
}

TEST_F(GpuExperts, RouterTakesTheLowerIndexAmongEquals) {
  for (Router op : rules()) {
    op.tokens = 50;
    op.correction = false;
    std::vector<float> logits = random_floats(op.tokens * op.experts, 5, 2.0F);
    for (float& v : logits) v = std::round(v);
    check_router(op, logits, queue);
  }
}

struct Routing {
  std::string name;
  std::int64_t tokens, experts, top_k;
  bool skewed = false;  ///< all tokens to the same experts

  std::vector<std::int32_t> ids() const {
    std::vector<std::int32_t> all;
    for (std::int64_t t = 0; t < tokens; ++t) {
      const auto first = static_cast<std::int64_t>(mix(static_cast<std::uint64_t>(skewed ? 1 : t)) %
                                                   static_cast<std::uint64_t>(experts));
      for (std::int64_t k = 0; k < top_k; ++k)
        all.push_back(static_cast<std::int32_t>((first + 3 * k) % experts));  // 3 and experts are coprime
    }
    return all;
  }
};

/// Groups on the device, behind whose ends nothing may be written.
struct GroupsThere {
  GroupsThere(const Routing& r, const Queue& queue)
      : ids(r.ids()),
        offsets(std::vector<std::int32_t>(static_cast<std::size_t>(r.experts) + 2, -7)),
        pairs(std::vector<std::int32_t>(static_cast<std::size_t>(r.tokens * r.top_k) + 1, -7)),
        tokens(pairs.values()) {
    group_by_expert({.ids = ids.data(),
                     .rows = static_cast<std::int32_t>(r.tokens * r.top_k),
                     .experts = static_cast<std::int32_t>(r.experts),
                     .top_k = static_cast<std::int32_t>(r.top_k),
                     .groups = view()},
                    queue);
  }
  ExpertGroups view() const { return {offsets.data(), pairs.data(), tokens.data()}; }
  Array<std::int32_t> ids, offsets, pairs, tokens;
};

TEST_F(GpuExperts, GroupsAreSortedByExpertThenByPair) {
  for (const Routing& r :
       {Routing{"one", 1, 1, 1}, Routing{"decode", 1, 8, 2}, Routing{"odd", 37, 7, 3},
        Routing{"one round", 128, 8, 2}, Routing{"a pair more", 257, 8, 1},
        Routing{"one large round", 512, 8, 2}, Routing{"a pair more than that", 1025, 8, 1},
        Routing{"many experts", 33, 256, 8}, Routing{"skewed", 300, 8, 2, true},
        Routing{"prompt", 3000, 128, 8}, Routing{"skewed prompt", 1025, 64, 4, true}}) {
    SCOPED_TRACE(r.name);
    const GroupsThere there(r, queue);
    const std::vector<std::int32_t> ids = r.ids();
    std::vector<std::int32_t> pairs(ids.size()), tokens, offsets;
    std::iota(pairs.begin(), pairs.end(), 0);
    const auto expert = [&](std::int32_t pair) { return ids[static_cast<std::size_t>(pair)]; };
    std::stable_sort(pairs.begin(), pairs.end(),
                     [&](std::int32_t a, std::int32_t b) { return expert(a) < expert(b); });
    for (const std::int32_t pair : pairs) tokens.push_back(pair / static_cast<std::int32_t>(r.top_k));
    for (std::int32_t e = 0; e <= r.experts; ++e) {
      offsets.push_back(static_cast<std::int32_t>(
          std::count_if(ids.begin(), ids.end(), [&](std::int32_t id) { return id < e; })));
    }
    for (auto* end : {&pairs, &tokens, &offsets}) end->push_back(-7);
    EXPECT_EQ(there.offsets.values(), offsets);
    EXPECT_EQ(there.pairs.values(), pairs);
    EXPECT_EQ(there.tokens.values(), tokens);
  }
}

/// Values in e4m3 and as their bits; bf16 where !fp8.
struct Stored {
  std::vector<Bf16> halves;  ///< of two e4m3 each, where fp8
  std::vector<double> values;
};
double from_e4m3(unsigned bits) {
  const int exponent = static_cast<int>(bits >> 3 & 15), fraction = static_cast<int>(bits & 7);
  const double size = exponent == 0 ? std::ldexp(fraction, -9) : std::ldexp(8 + fraction, exponent - 10);
  return bits & 128 ? -size : size;
}
Stored stored(std::int64_t count, std::uint64_t seed, bool fp8) {
  Stored s;
  for (std::int64_t i = 0; i < count; ++i) {
    if (!fp8) {
      s.halves.push_back(float_to_bf16(seeded_uniform(mix(seed), static_cast<std::uint64_t>(i))));
      s.values.push_back(bf16_to_float(s.halves.back()));
      continue;
    }
    const std::uint64_t random = mix(seed + static_cast<std::uint64_t>(i) * 977);
    const auto bits = static_cast<unsigned>((random & 0x80) | (32 + random % 32));  // up to 2 in size
    s.values.push_back(from_e4m3(bits));
    if (i % 2 == 0) {
      s.halves.push_back(static_cast<Bf16>(bits));
    } else {
      s.halves.back() = static_cast<Bf16>(s.halves.back() | bits << 8);
    }
  }
  return s;
}

struct ProductCase {
  Routing routing;
  std::int64_t in, out;
  std::int32_t tile = 0;  ///< 0: as the backend chooses
};

class GpuExpertProducts : public OnGpu {
 protected:
  /// Rows of y by pair, or in the order of the experts.
  void check(const ProductCase& c, bool fp8, bool per_assignment, bool biased, bool by_pair = true) {
    const Routing& r = c.routing;
    SCOPED_TRACE(r.name + (fp8 ? ", fp8" : ", bf16") + (per_assignment ? ", a row per pair" : "") +
                 (biased ? ", bias" : ""));
    const ExpertLinear op{.tokens = r.tokens,
                          .experts = r.experts,
                          .top_k = r.top_k,
                          .in = c.in,
                          .out = c.out,
                          .per_assignment = per_assignment,
                          .x = fp8 ? DType::fp8 : DType::bf16,
                          .w = {fp8 ? DType::fp8 : DType::bf16},
                          .bias = biased};
    const std::int64_t width = fp8 ? c.in / 2 : c.in;
    const std::int32_t tile = c.tile > 0 ? c.tile : expert_tile(op.tokens, op.top_k, op.experts);
    const Stored x = stored((per_assignment ? op.rows() : op.tokens) * c.in, 1, fp8);
    Stored w = stored(op.experts * op.out * op.in, 2, fp8);
    const std::vector<std::int32_t> ids = r.ids();
    for (std::int64_t e = 0; e < op.experts; ++e) {  // nothing of experts without tokens may be seen
      if (std::find(ids.begin(), ids.end(), e) != ids.end()) continue;
      std::fill_n(w.halves.begin() + e * op.out * width, op.out * width, static_cast<Bf16>(0x7fff));
    }
    const std::vector<float> scales = random_floats(op.experts, 4, 2.0F),
                             bias = random_floats(op.experts * op.out, 5, 9.0F);
    const float x_scale = 0.37F;
    const Array<Bf16> x_there(x.halves), w_there(w.halves),
        rows(std::vector<Bf16>(static_cast<std::size_t>(op.rows() * width), 0x7fff));
    const Array<float> scales_there(scales), bias_there(bias), x_scale_there({x_scale}),
        partial(std::vector<float>(static_cast<std::size_t>(expert_partials(gpu.processors)), nan));
    const Array<std::uint32_t> flags(std::vector<std::uint32_t>(static_cast<std::size_t>(gpu.processors), 0));
    const GroupsThere there(r, queue);
    gather_for_experts({.x = {x_there.data(), width},
                        .rows = per_assignment ? there.pairs.data() : there.tokens.data(),
                        .y = {rows.data(), width},
                        .count = op.rows(),
                        .width = width},
                       queue);
    const auto map_w = tensor_map({w_there.data(), op.experts * op.out, width, width, expert_box_rows});
    const auto map_x = tensor_map({rows.data(), op.rows(), width, width, tile});
    ASSERT_TRUE(map_w && map_x);
    Arrays<double> reads{x.values, doubles(ids)};
    if (fp8) reads.push_back({x_scale});
    reads.push_back(w.values);
    if (fp8) reads.push_back(doubles(scales));
    if (biased) reads.push_back(doubles(bias));
    std::vector<double> right = reference(op, reads)[0];
    if (!by_pair) {
      const std::vector<double> of_pairs = right;
      const std::vector<std::int32_t> pairs = there.pairs.values();
      for (std::int64_t row = 0; row < op.rows(); ++row)
        std::copy_n(of_pairs.begin() + pairs[static_cast<std::size_t>(row)] * op.out, op.out,
                    right.begin() + row * op.out);
    }
    for (int again = 0; again < 3; ++again) {
      const Matrix y{op.rows(), op.out};
      product_experts({.groups = there.view(),
                       .y = y.out(),
                       .x_scale = fp8 ? x_scale_there.data() : nullptr,
                       .w_scales = fp8 ? scales_there.data() : nullptr,
                       .bias = biased ? bias_there.data() : nullptr,
                       .experts = static_cast<std::int32_t>(op.experts),
                       .in = static_cast<std::int32_t>(op.in),
                       .out = static_cast<std::int32_t>(op.out),
                       .tile = tile,
                       .by_pair = by_pair,
                       .fp8 = fp8},
                      {*map_w, *map_x, partial.data(), flags.data()}, queue);
      // Matrix units keep fewer bits of sums of e4m3 than of bf16.
      EXPECT_LE(distance(y.values(), right), fp8 ? 1e-2 : bf16_tolerance)
          << "run " << again << ", tiles of " << tile;
      EXPECT_TRUE(y.gaps_untouched());
    }
    for (const std::uint32_t flag : flags.values()) EXPECT_EQ(flag, 0U);
  }
};

TEST_F(GpuExpertProducts, EqualTheReference) {
  if (!gpu.hopper()) GTEST_SKIP() << "needs compute capability 9.0";
  const std::vector<ProductCase> cases{{{"one token", 1, 8, 2}, 64, 24},
                                       {{"one expert", 3, 1, 1}, 32, 65},
                                       {{"out of 1", 5, 4, 2}, 48, 1},
                                       {{"a long stream", 1, 8, 2}, 4096, 520},
                                       {{"longer than the stages", 8, 4, 2}, 14336, 70},
                                       {{"sixteen", 16, 8, 2}, 272, 130},
                                       {{"half a tile of rows", 30, 4, 2}, 288, 160},
                                       {{"a tile and a row", 60, 4, 2}, 160, 257},
                                       {{"thirty-two, skewed", 32, 8, 2, true}, 1040, 200},
                                       {{"sixty-four, skewed", 64, 16, 4, true}, 512, 191},
                                       {{"many experts", 40, 128, 8}, 144, 64},
                                       {{"prompt", 150, 8, 2}, 512, 300},
                                       {{"prompt, skewed", 300, 8, 2, true}, 208, 129},
                                       {{"prompt, one tile beyond", 129, 4, 1, true}, 1024, 128},
                                       {{"prompt, few rows", 70, 128, 8}, 96, 40},
                                       {{"long rows of a prompt", 65, 4, 2}, 4112, 100}};
  for (const ProductCase& c : cases) {
    for (const bool fp8 : {false, true}) {
      check(c, fp8, false, false);
      check(c, fp8, true, true);
      check(c, fp8, false, true, false);
    }
  }
  for (const std::int32_t tile : {8, 16, 32, 64, 128}) {
    for (const bool skewed : {false, true}) {
      check({{"several tiles an expert", 131, 4, 2, skewed}, 528, 200, tile}, false, false, true);
      check({{"several tiles an expert", 131, 4, 2, skewed}, 1056, 200, tile}, true, true, false);
    }
  }
  check({{"rows of 24", 5, 8, 2}, 24, 64}, false, true, false);
}

TEST(ExpertTile, HoldsWhatAnExpertIsLikelyToHave) {
  EXPECT_EQ(expert_tile(1, 2, 8), 8);
  EXPECT_EQ(expert_tile(32, 2, 8), 32);
  EXPECT_EQ(expert_tile(64, 8, 128), 16);
  EXPECT_EQ(expert_tile(64, 1, 1), 64);
  EXPECT_EQ(expert_tile(4096, 2, 8), most_expert_tile);
}

TEST_F(GpuExperts, CombineEqualsTheReference) {
  for (const auto& [tokens, top_k, width] :
       {std::tuple{1, 2, 64}, {3, 1, 17}, {37, 8, 2048}, {130, 6, 100}, {5, 4, 2880}}) {
    const Matrix x = Matrix::random(tokens * top_k, width, 1), y{tokens, width};
    const std::vector<float> weights = random_floats(tokens * top_k, 2);
    const Array<float> weights_there(weights);
    combine_experts({.x = x.in(),
                     .weights = weights_there.data(),
                     .y = y.out(),
                     .tokens = tokens,
                     .width = width,
                     .top_k = top_k},
                    queue);
    const ExpertCombine op{.tokens = tokens, .top_k = top_k, .width = width};
    EXPECT_LE(distance(y.values(), reference(op, {x.values(), doubles(weights)})[0]), bf16_tolerance);
    EXPECT_TRUE(y.gaps_untouched());
  }
}

}  // namespace
}  // namespace inferometer::cuda
