#include <array>

#include "executor/cpu/experts.hpp"
#include "executor/cpu/router.hpp"
#include "model/operators/moe.hpp"
#include "tests/executor/cpu_arrays.hpp"

namespace inferometer::cpu {
namespace {

struct ProductSize {
  std::int64_t rows, out, in, matrices = 1;
};
constexpr std::array sizes{ProductSize{1, 1, 1},      ProductSize{1, 64, 64},     ProductSize{1, 576, 576},
                           ProductSize{3, 17, 33},    ProductSize{5, 192, 80},    ProductSize{16, 100, 576},
                           ProductSize{33, 257, 129}, ProductSize{70, 1536, 576}, ProductSize{1, 24, 40, 3},
                           ProductSize{7, 48, 33, 4}, ProductSize{5, 256, 64, 3}, ProductSize{40, 512, 96},
                           ProductSize{53, 96, 128},  ProductSize{59, 72, 40, 2}};

std::vector<double> product(const ProductSize& s, const std::vector<double>& x, const std::vector<double>& w,
                            const std::vector<double>& bias) {
  std::vector<double> y;
  for (std::int64_t r = 0; r < s.rows; ++r) {
    for (std::int64_t o = 0; o < s.matrices * s.out; ++o) {
      double sum = bias.empty() ? 0 : bias[static_cast<std::size_t>(o)];
      for (std::int64_t i = 0; i < s.in; ++i) {
        sum += x[static_cast<std::size_t>((r * s.matrices + o / s.out) * s.in + i)] *
               w[static_cast<std::size_t>(o * s.in + i)];
      }
      y.push_back(sum);
    }
  }
  return y;
}

TEST(CpuProducts, FloatProductsOfStridedRows) {
  Products products;
  for (const ProductSize& s : sizes) {
    for (const auto& [wt, xt, yt] :
         {std::array{DType::f32, DType::f32, DType::f32}, std::array{DType::bf16, DType::bf16, DType::bf16},
          std::array{DType::bf16, DType::bf16, DType::f32},
          std::array{DType::f32, DType::bf16, DType::bf16}}) {
      for (const bool biased : {false, true}) {
        Matrix w = Matrix::random(wt, s.matrices * s.out, s.in, 1, 1.0F, 0);
        Matrix x = Matrix::random(xt, s.rows, s.matrices * s.in, 2, 1.0F, 5);
        Matrix b = Matrix::random(DType::f32, 1, s.matrices * s.out, 3, 1.0F, 0),
               y{yt, s.rows, s.matrices * s.out, 9};
        auto packed = products.pack(
            {.values = w.data(), .dtype = wt, .matrices = s.matrices, .out = s.out, .in = s.in});
        ASSERT_TRUE(packed.has_value()) << to_string(packed.error());
        products.multiply(*packed, {.data = x.data(), .dtype = xt, .rows = s.rows, .stride = x.stride()},
                          {.data = y.data(), .dtype = yt, .stride = y.stride()},
                          biased ? static_cast<const float*>(b.data()) : nullptr);
        const auto expected = product(s, x.values(), w.values(), biased ? b.values() : std::vector<double>{});
        EXPECT_LE(distance(y.values(), expected), yt == DType::bf16 ? 1.0 / 256 : 2e-6)
            << s.rows << " " << s.out << " " << s.in << " " << name(wt) << " " << name(yt);
        EXPECT_TRUE(y.gaps_untouched());
      }
    }
  }
}

TEST(CpuProducts, IntegerProductsAreExact) {
  Products products;
  for (const ProductSize& s : sizes) {
    std::vector<std::int8_t> w, x;
    for (std::int64_t i = 0; i < s.matrices * s.out * s.in; ++i) {
      w.push_back(static_cast<std::int8_t>(mix(static_cast<std::uint64_t>(i)) % 255 - 127));
    }
    const std::int64_t stride = s.matrices * s.in + 3;
    for (std::int64_t i = 0; i < s.rows * stride; ++i) {
      // The first row holds the largest value everywhere: sums of pairs that saturate at 16 bits show.
      x.push_back(i < stride ? std::int8_t{127}
                             : static_cast<std::int8_t>(mix(static_cast<std::uint64_t>(-i)) % 255 - 127));
    }
    // Powers of two: scaling then loses nothing, and the f32 result is the integer sum (below 2^24).
    const std::vector<float> w_scales(static_cast<std::size_t>(s.matrices * s.out), 0.5F);
    const std::vector<float> x_scales(static_cast<std::size_t>(s.rows), 4.0F);
    auto packed = products.pack({.values = w.data(),
                                 .dtype = DType::int8,
                                 .scales = w_scales.data(),
                                 .matrices = s.matrices,
                                 .out = s.out,
                                 .in = s.in});
    ASSERT_TRUE(packed.has_value()) << to_string(packed.error());
    Matrix y{DType::f32, s.rows, s.matrices * s.out, 2};
    products.multiply(
        *packed,
        {.data = x.data(), .dtype = DType::int8, .rows = s.rows, .stride = stride, .scales = x_scales.data()},
        {.data = y.data(), .dtype = DType::f32, .stride = y.stride()});
    for (std::int64_t r = 0; r < s.rows; ++r) {
      for (std::int64_t o = 0; o < s.matrices * s.out; ++o) {
        std::int64_t sum = 0;
        for (std::int64_t i = 0; i < s.in; ++i) {
          sum += x[static_cast<std::size_t>(r * stride + o / s.out * s.in + i)] *
                 w[static_cast<std::size_t>(o * s.in + i)];
        }
        ASSERT_EQ(y(r, o), 2.0 * static_cast<double>(sum)) << r << " " << o;
      }
    }
    EXPECT_TRUE(y.gaps_untouched());
  }
}

TEST(CpuProducts, IntegerProductsAreScaledByRowAndChannel) {
  Products products;
  const std::vector<std::int8_t> w{1, 2, -3, 4}, x{10, 1, -1, 5};  // [2, 2] each
  const float w_scales[] = {0.5F, 2.0F}, x_scales[] = {1.0F, 3.0F}, bias[] = {100.0F, 0.0F};
  auto packed =
      products.pack({.values = w.data(), .dtype = DType::int8, .scales = w_scales, .out = 2, .in = 2});
  ASSERT_TRUE(packed.has_value());
  float y[4] = {};
  products.multiply(*packed,
                    {.data = x.data(), .dtype = DType::int8, .rows = 2, .stride = 2, .scales = x_scales},
                    {.data = y, .dtype = DType::f32, .stride = 2}, bias);
  EXPECT_EQ(y[0], 106.0F);  // (10 + 2) * 0.5 + 100
  EXPECT_EQ(y[1], -52.0F);  // (-30 + 4) * 2
  EXPECT_EQ(y[2], 113.5F);  // (-1 + 10) * 0.5 * 3 + 100
  EXPECT_EQ(y[3], 138.0F);  // (3 + 20) * 2 * 3
}

TEST(CpuProducts, ManyRowsOfIntegersAreMultipliedPieceByPiece) {
  Products products;
  const std::int64_t rows = 200, out = 16384, in = 2;  // 64 rows of sums at a time
  const std::vector<std::int8_t> w(static_cast<std::size_t>(out * in), 1);
  std::vector<std::int8_t> x;
  for (std::int64_t i = 0; i < rows * in; ++i) x.push_back(static_cast<std::int8_t>(i % 100));
  std::vector<float> w_scales(static_cast<std::size_t>(out), 1.0F),
      x_scales(static_cast<std::size_t>(rows), 1.0F);
  x_scales[150] = 0.5F;
  auto packed = products.pack(
      {.values = w.data(), .dtype = DType::int8, .scales = w_scales.data(), .out = out, .in = in});
  ASSERT_TRUE(packed.has_value());
  Matrix y{DType::f32, rows, out};
  products.multiply(*packed, {x.data(), DType::int8, rows, in, x_scales.data()},
                    {y.data(), DType::f32, y.stride()});
  for (std::int64_t r = 0; r < rows; ++r) {
    const double sum = x[static_cast<std::size_t>(2 * r)] + x[static_cast<std::size_t>(2 * r + 1)];
    ASSERT_EQ(y(r, 0), r == 150 ? sum / 2 : sum);
    ASSERT_EQ(y(r, out - 1), y(r, 0));
  }
}

TEST(CpuProducts, WeightsThatCannotBeMultipliedAreAnError) {
  Products products;
  const std::uint8_t byte = 0;
  EXPECT_FALSE(products.pack({.values = &byte, .dtype = DType::fp8, .out = 1, .in = 1}).has_value());
}

TEST(CpuProducts, EachExpertMultipliesItsOwnRows) {
  Products products;
  const std::int64_t experts = 4, tokens = 3, top_k = 2, in = 20, out = 9;
  const std::int32_t ids[] = {3, 0, 0, 1, 3, 0};  // expert 2 has no rows
  std::vector<PackedWeights> packed;
  Matrix w = Matrix::random(DType::f32, experts * out, in, 1, 1.0F, 0),
         x = Matrix::random(DType::f32, tokens, in, 2);
  Matrix b = Matrix::random(DType::f32, experts, out, 3, 1.0F, 0);
  for (std::int64_t e = 0; e < experts; ++e) {
    packed.push_back(*products.pack(
        {.values = static_cast<float*>(w.data()) + e * out * in, .dtype = DType::f32, .out = out, .in = in}));
  }
  const ExpertGroups groups = group_by_expert(ids, tokens * top_k, experts);
  EXPECT_EQ(groups.pairs, (std::vector<std::int32_t>{1, 2, 5, 3, 0, 4}));
  EXPECT_EQ(groups.offsets, (std::vector<std::int64_t>{0, 3, 4, 4, 6}));

  Matrix sorted{DType::f32, tokens * top_k, in}, z{DType::f32, tokens * top_k, out},
      y{DType::f32, tokens * top_k, out};
  kernels().gather({.x = x.in(),
                    .rows = groups.pairs.data(),
                    .y = sorted.out(),
                    .count = tokens * top_k,
                    .width = in,
                    .element_bytes = 4,
                    .divisor = top_k});
  multiply_experts(
      products, packed, groups,
      {.data = sorted.data(), .dtype = DType::f32, .rows = tokens * top_k, .stride = sorted.stride()},
      {.data = z.data(), .dtype = DType::f32, .stride = z.stride()}, static_cast<const float*>(b.data()));
  kernels().scatter({.x = z.in(),
                     .rows = groups.pairs.data(),
                     .y = y.out(),
                     .count = tokens * top_k,
                     .width = out,
                     .element_bytes = 4});
  const ExpertLinear op{.tokens = tokens,
                        .experts = experts,
                        .top_k = top_k,
                        .in = in,
                        .out = out,
                        .touched = 3,
                        .x = DType::f32,
                        .y = DType::f32,
                        .w = {DType::f32},
                        .bias = true};
  Arrays<double> expected(1, std::vector<double>(static_cast<std::size_t>(tokens * top_k * out)));
  op.reference(Arrays<double>{x.values(), {std::begin(ids), std::end(ids)}, w.values(), b.values()},
               expected);
  EXPECT_LE(distance(y.values(), expected[0]), 1e-6);
}

TEST(CpuRouter, AgreesWithTheOperatorForEveryRule) {
  const std::int64_t tokens = 9, experts = 16;
  Matrix logits = Matrix::random(DType::f32, tokens, experts, 1, 3.0F),
         bias = Matrix::random(DType::f32, 1, experts, 2, 0.5F, 0);
  struct Rule {
    Router op;
    bool corrected;
  };
  const Router base{.tokens = tokens, .experts = experts, .top_k = 4, .scaling = 1.0};
  std::vector<Router> rules(6, base);
  rules[1].normalize = true;
  rules[2].softmax_after_top_k = true;
  rules[3].score = RouterScore::sigmoid, rules[3].scaling = 2.5, rules[3].normalize = true;
  rules[3].correction = true, rules[3].groups = 4, rules[3].top_groups = 2,
  rules[3].group_rank = GroupRank::best_two;
  rules[4].groups = 8, rules[4].top_groups = 3, rules[4].group_rank = GroupRank::best,
  rules[4].scaling = 16.0;
  rules[5].top_k = 1;
  for (const Router& op : rules) {
    Arrays<double> reads{logits.values(), bias.values()}, expected(2);
    for (auto& e : expected) e.resize(static_cast<std::size_t>(tokens * op.top_k));
    op.reference(reads, expected);
    std::vector<std::int32_t> ids(expected[0].size(), -1);
    std::vector<float> weights(expected[0].size(), NAN);
    route({.experts = experts,
           .top_k = op.top_k,
           .score = op.score,
           .softmax_after_top_k = op.softmax_after_top_k,
           .normalize = op.normalize,
           .groups = op.groups,
           .top_groups = op.top_groups,
           .group_rank = op.group_rank,
           .scaling = static_cast<float>(op.scaling)},
          static_cast<const float*>(logits.data()), logits.stride(),
          op.correction ? static_cast<const float*>(bias.data()) : nullptr, tokens, ids.data(),
          weights.data());
    EXPECT_EQ(std::vector<double>(ids.begin(), ids.end()), expected[0]);
    EXPECT_LE(distance({weights.begin(), weights.end()}, expected[1]), 1e-6);
  }
}

}  // namespace
}  // namespace inferometer::cpu
