#include <algorithm>
#include <numeric>

#include "executor/cuda/launch_experts.hpp"
#include "model/operators/linear.hpp"
#include "model/operators/norm.hpp"
#include "model/operators/pointwise.hpp"
#include "tests/gpu/fp8.hpp"

namespace inferometer::cuda {
namespace {

constexpr auto nan = std::numeric_limits<float>::quiet_NaN();

std::vector<double> doubles(const auto& values) { return {values.begin(), values.end()}; }
std::vector<float> random_floats(std::int64_t count, std::uint64_t seed, float size) {
  std::vector<float> all;
  for (std::int64_t i = 0; i < count; ++i)
    all.push_back(size * seeded_uniform(mix(seed), static_cast<std::uint64_t>(i)));
  return all;
}

/// Elements as they lie in memory, in e4m3 or bf16, and what they are.
struct Elements {
  std::vector<std::uint8_t> bytes;
  std::vector<double> values;

  static Elements random(std::int64_t count, std::uint64_t seed, bool fp8) {
    Elements e;
    for (std::int64_t i = 0; i < count; ++i) {
      const float value = seeded_uniform(mix(seed), static_cast<std::uint64_t>(i));
      if (fp8) {
        e.bytes.push_back(e4m3_bits(e4m3(value)));
      } else {
        const Bf16 half = float_to_bf16(value);
        e.bytes.insert(e.bytes.end(),
                       {static_cast<std::uint8_t>(half & 0xff), static_cast<std::uint8_t>(half >> 8)});
      }
    }
    e.values = values_of(e.bytes, fp8);
    return e;
  }
  static std::vector<double> values_of(const std::vector<std::uint8_t>& bytes, bool fp8) {
    std::vector<double> all;
    for (std::size_t i = 0; i < bytes.size(); i += fp8 ? 1 : 2)
      all.push_back(fp8 ? e4m3_value(bytes[i])
                        : bf16_to_float(static_cast<Bf16>(bytes[i] | bytes[i + 1] << 8)));
    return all;
  }
  /// Something that would be seen instead of the matrices of experts that are not named.
  void poison_others(const std::vector<std::int32_t>& ids, std::int64_t experts) {
    const auto each = static_cast<std::int64_t>(bytes.size()) / experts;
    for (std::int64_t e = 0; e < experts; ++e) {
      if (std::find(ids.begin(), ids.end(), e) == ids.end())
        std::fill_n(bytes.begin() + e * each, each, std::uint8_t{0x7f});
    }
  }
};

class GpuOneTokenExperts : public OnGpu {
 protected:
  struct Sizes {
    std::int64_t experts, top_k, width, out;
  };
  void check(const Sizes& s, bool fp8) {
    SCOPED_TRACE(std::to_string(s.out) + " -> " + std::to_string(s.width) + (fp8 ? " in fp8" : " in bf16"));
    const DType dtype = fp8 ? DType::fp8 : DType::bf16;
    std::vector<std::int32_t> ids;
    for (std::int64_t k = 0; k < s.top_k; ++k)
      ids.push_back(static_cast<std::int32_t>((s.experts - 1 + 3 * k) % s.experts));  // coprime
    const Elements x = Elements::random(s.out, 1, fp8);
    Elements gate_up = Elements::random(s.experts * 2 * s.width * s.out, 2, fp8),
             down = Elements::random(s.experts * s.out * s.width, 3, fp8);
    gate_up.poison_others(ids, s.experts);
    down.poison_others(ids, s.experts);
    // Of the size at which gates are neither all zero nor all linear, and most of h is within its scale.
    const float size = 3 / std::sqrt(static_cast<float>(s.out));
    const std::vector<float> weights = random_floats(s.top_k, 4, 1),
                             gates = random_floats(s.experts, 5, size),
                             downs = random_floats(s.experts, 6, 0.1F);
    const float x_scale = 0.9F, h_scale = 0.01F;
    const std::size_t h_bytes = static_cast<std::size_t>(s.top_k * s.width * (fp8 ? 1 : 2));
    const Array<std::uint8_t> x_there(x.bytes), gate_up_there(gate_up.bytes), down_there(down.bytes),
        h(std::vector<std::uint8_t>(h_bytes + 16, 0x7f));
    const Array<std::int32_t> ids_there(ids);
    const Array<float> weights_there(weights), gates_there(gates), downs_there(downs),
        x_scale_there({x_scale}), h_scale_there({h_scale});
    const Array<std::uint32_t> counters({0, 0});
    const ExpertLinear first{.tokens = 1,
                             .experts = s.experts,
                             .top_k = s.top_k,
                             .in = s.out,
                             .out = 2 * s.width,
                             .x = dtype,
                             .w = {dtype}};
    ExpertLinear second = first;
    second.in = s.width;
    second.out = s.out;
    second.per_assignment = true;
    const auto product = [&](const ExpertLinear& op, const std::vector<double>& rows, float scale,
                             const Elements& w, const std::vector<float>& scales) {
      Arrays<double> reads{rows, doubles(ids)};
      if (fp8) reads.push_back({scale});
      reads.push_back(w.values);
      if (fp8) reads.push_back(doubles(scales));
      return reference(op, reads)[0];
    };
    const std::vector<double> both = product(first, x.values, x_scale, gate_up, gates);
    std::vector<double> gate, up;
    for (std::int64_t i = 0; i < 2 * s.top_k * s.width; ++i)
      (i / s.width % 2 == 0 ? gate : up).push_back(both[static_cast<std::size_t>(i)]);
    std::vector<double> right_h =
        reference(GatedActivation{.tokens = s.top_k, .width = s.width}, {gate, up})[0];
    if (fp8) {
      for (double& v : right_h) v = e4m3(static_cast<float>(v) / h_scale);
    }
    for (int again = 0; again < 3; ++again) {
      const Matrix y{1, s.out};
      one_token_experts({.x = x_there.data(),
                         .ids = ids_there.data(),
                         .weights = weights_there.data(),
                         .gate_up = gate_up_there.data(),
                         .down = down_there.data(),
                         .x_scale = fp8 ? x_scale_there.data() : nullptr,
                         .h_scale = fp8 ? h_scale_there.data() : nullptr,
                         .gate_up_scales = fp8 ? gates_there.data() : nullptr,
                         .down_scales = fp8 ? downs_there.data() : nullptr,
                         .h = h.data(),
                         .y = y.out().data,
                         .counters = counters.data(),
                         .top_k = static_cast<std::int32_t>(s.top_k),
                         .width = static_cast<std::int32_t>(s.width),
                         .out = static_cast<std::int32_t>(s.out),
                         .fp8 = fp8},
                        queue);
      std::vector<std::uint8_t> bytes = h.values();
      for (std::size_t i = h_bytes; i < bytes.size(); ++i) EXPECT_EQ(bytes[i], 0x7f);
      bytes.resize(h_bytes);
      const std::vector<double> found_h = Elements::values_of(bytes, fp8);
      // Where sums are off by little, some of h are rounded to the neighbouring e4m3.
      EXPECT_LE(distance(found_h, right_h), fp8 ? 3e-2 : 2 * bf16_tolerance) << "run " << again;
      const auto right = reference(ExpertCombine{.tokens = 1, .top_k = s.top_k, .width = s.out},
                                   {product(second, found_h, h_scale, down, downs), doubles(weights)})[0];
      EXPECT_LE(distance(y.values(), right), fp8 ? 1e-2 : 2 * bf16_tolerance) << "run " << again;
      EXPECT_TRUE(y.gaps_untouched());
    }
    for (const std::uint32_t c : counters.values()) EXPECT_EQ(c, 0U);
  }
};

TEST_F(GpuOneTokenExperts, EqualTheReference) {
  if (!gpu.hopper()) GTEST_SKIP() << "needs compute capability 9.0";
  for (const bool fp8 : {false, true}) {
    check({.experts = 8, .top_k = 2, .width = 64, .out = 128}, fp8);
    check({.experts = 1, .top_k = 1, .width = 16, .out = 16}, fp8);      // most warps have nothing to do
    check({.experts = 4, .top_k = 2, .width = 14336, .out = 64}, fp8);   // rows of several copies
    check({.experts = 2, .top_k = 1, .width = 48, .out = 4112}, fp8);    // one copy and a bit
    check({.experts = 16, .top_k = 8, .width = 768, .out = 512}, fp8);   // many choices
    check({.experts = 4, .top_k = 2, .width = 1040, .out = 2064}, fp8);  // odd pieces, more than a round
  }
}

TEST(OneTokenExperts, FitWhereTheStreamHasRoom) {
  for (const bool fp8 : {false, true}) EXPECT_TRUE(one_token_experts_fit(4096, 14336, 2, fp8));
  EXPECT_FALSE(one_token_experts_fit(4096, 14336, 8, true));
  EXPECT_TRUE(one_token_experts_fit(4096, 24, 2, false));
  EXPECT_FALSE(one_token_experts_fit(4096, 24, 2, true));
  EXPECT_FALSE(one_token_experts_fit(4096, 60, 2, false));
}

class GpuNormRoute : public OnGpu {
 protected:
  void check(Router rule, std::int64_t width, bool added, bool quantized, bool biased) {
    const std::int64_t tokens = rule.tokens;
    SCOPED_TRACE(std::to_string(tokens) + " tokens of " + std::to_string(width) + ", " +
                 std::to_string(rule.experts) + " experts");
    const Matrix x = Matrix::random(tokens, width, 1), r = Matrix::random(tokens, width, 2),
                 norm_w = Matrix::random(1, width, 3),
                 w = Matrix::random(rule.experts, width, 4, 4 / std::sqrt(static_cast<float>(width)), 0);
    const Matrix sum{tokens, width}, y{tokens, width};
    const Fp8Matrix q{tokens, width};
    const float scale = 0x1p-6F;
    const std::vector<float> bias = random_floats(rule.experts, 5, 2),
                             correction = random_floats(rule.experts, 7, 0.3F);
    const Array<float> scale_there({scale}), bias_there(bias), correction_there(correction);
    const auto rows = static_cast<std::size_t>(tokens * rule.top_k);
    const Array<std::int32_t> ids(std::vector<std::int32_t>(rows, -1)), pairs(ids.values()),
        of_tokens(ids.values()),
        offsets(std::vector<std::int32_t>(static_cast<std::size_t>(rule.experts) + 1));
    const Array<float> weights(std::vector<float>(rows, nan));
    RouterArguments router = routing_rule(rule);
    router.correction = rule.correction ? correction_there.data() : nullptr;
    router.ids = ids.data();
    router.weights = weights.data();
    norm_route(
        {.norm = {.x = x.in(),
                  .residual = added ? r.in() : In{},
                  .w = norm_w.data(),
                  .sum = sum.out(),
                  .y = y.out(),
                  .tokens = tokens,
                  .width = width,
                  .q = quantized ? QuantizedOut{q.data(), q.stride(), scale_there.data()} : QuantizedOut{}},
         .w = w.data(),
         .bias = biased ? bias_there.data() : nullptr,
         .router = router,
         .groups = {offsets.data(), pairs.data(), of_tokens.data()}},
        queue);
    if (added) {
      const auto right =
          reference(AddRmsNorm{.tokens = tokens, .width = width}, {x.values(), r.values(), norm_w.values()});
      EXPECT_LE(distance(sum.values(), right[0]), bf16_tolerance);
      EXPECT_LE(distance(y.values(), right[1]), 2 * bf16_tolerance);
    } else {
      EXPECT_LE(distance(y.values(), reference(RmsNorm{.tokens = tokens, .groups = 1, .width = width},
                                               {x.values(), norm_w.values()})[0]),
                bf16_tolerance);
    }
    EXPECT_TRUE(sum.gaps_untouched() && y.gaps_untouched() && q.gaps_untouched());
    if (quantized) {
      std::vector<double> right = y.values();
      for (double& v : right) v = e4m3(static_cast<float>(v) / scale);  // a power of two divides exactly
      EXPECT_EQ(distance(q.values(), right), 0);
    }
    Arrays<double> reads{y.values(), w.values()};
    if (biased) reads.push_back(doubles(bias));
    Arrays<double> routed{
        reference(Linear{.tokens = tokens, .in = width, .out = rule.experts, .y = DType::f32, .bias = biased},
                  reads)[0]};
    if (rule.correction) routed.push_back(doubles(correction));
    const auto right = reference(rule, routed);
    EXPECT_EQ(doubles(ids.values()), right[0]);
    EXPECT_LE(distance(doubles(weights.values()), right[1]), 1e-4);
    std::vector<std::int32_t> order(rows);
    std::iota(order.begin(), order.end(), 0);
    const std::vector<std::int32_t> chosen = ids.values();
    std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
      return chosen[static_cast<std::size_t>(a)] < chosen[static_cast<std::size_t>(b)];
    });
    EXPECT_EQ(pairs.values(), order);
    for (std::int32_t& pair : order) pair /= static_cast<std::int32_t>(rule.top_k);
    EXPECT_EQ(of_tokens.values(), order);
    for (std::int32_t e = 0; e <= rule.experts; ++e) {
      EXPECT_EQ(offsets.values()[static_cast<std::size_t>(e)],
                std::count_if(chosen.begin(), chosen.end(), [&](std::int32_t id) { return id < e; }));
    }
  }
};

TEST_F(GpuNormRoute, EqualsTheReferenceOfEachPart) {
  if (!gpu.hopper()) GTEST_SKIP() << "needs compute capability 9.0";
  const std::vector<Router> rules{{.experts = 8, .top_k = 2, .normalize = true},
                                  {.experts = 128, .top_k = 8, .normalize = true},
                                  {.experts = 32, .top_k = 4, .softmax_after_top_k = true},
                                  {.experts = 256,
                                   .top_k = 8,
                                   .score = RouterScore::sigmoid,
                                   .normalize = true,
                                   .correction = true,
                                   .groups = 8,
                                   .top_groups = 4,
                                   .group_rank = GroupRank::best_two,
                                   .scaling = 2.5},
                                  {.experts = 3, .top_k = 1},
                                  {.experts = 600, .top_k = 32, .normalize = true}};
  for (Router rule : rules) {
    for (const std::int64_t tokens : {1, 3, 64}) {
      if (tokens == 64 && rule.experts > 256) continue;  // some of so many logits are as good as equal
      rule.tokens = tokens;
      for (const std::int64_t width : {8, 2048, 2880}) check(rule, width, true, tokens != 3, tokens == 3);
    }
    rule.tokens = 2;
    check(rule, 8192, false, true, false);
    check(rule, 4096, true, true, false);
  }
}

TEST(NormRoute, TakesRowsThatStayInRegisters) {
  EXPECT_TRUE(norm_route_fits(2880));
  EXPECT_TRUE(norm_route_fits(8192));
  EXPECT_FALSE(norm_route_fits(8200));
  EXPECT_FALSE(norm_route_fits(100));
}

}  // namespace
}  // namespace inferometer::cuda
