#include <cstring>

#include "model/operators/embedding.hpp"
#include "model/operators/moe.hpp"
#include "model/operators/norm.hpp"
#include "model/operators/pointwise.hpp"
#include "model/operators/quantize.hpp"
#include "model/operators/rope.hpp"
#include "tests/executor/cpu_arrays.hpp"

namespace inferometer::cpu {
namespace {

INSTANTIATE_TEST_SUITE_P(Variants, CpuKernels, testing::ValuesIn(settings()), setting_name);

struct Size {
  std::int64_t tokens, width;
};
constexpr Size sizes[] = {{1, 1}, {1, 64}, {3, 80}, {2, 17}, {5, 576}, {33, 1000}};

/// What an operator's reference makes of `reads`, computed in double precision.
template <class Operator>
Arrays<double> reference(const Operator& op, const Arrays<double>& reads) {
  Arrays<double> writes;
  for (const Operand& w : op.operands().writes) {
    writes.emplace_back(static_cast<std::size_t>(w.shape.elements()));
  }
  op.reference(reads, writes);
  return writes;
}

TEST_P(CpuKernels, RmsNormOfRowsAndOfHeads) {
  for (const auto& [tokens, width] : sizes) {
    for (const std::int64_t groups : {1, 3}) {
      Matrix x = Matrix::random(dtype, tokens, groups * width, 1), w = Matrix::random(dtype, 1, width, 2);
      Matrix y{dtype, tokens, groups * width, 5};
      k.rms_norm({.x = x.in(),
                  .w = w.data(),
                  .y = y.out(),
                  .dtype = dtype,
                  .tokens = tokens,
                  .groups = groups,
                  .width = width,
                  .eps = 1e-5F});
      const RmsNorm op{.tokens = tokens, .groups = groups, .width = width, .eps = 1e-5};
      EXPECT_LE(distance(y.values(), reference(op, {x.values(), w.values()})[0]), tolerance(dtype));
      EXPECT_TRUE(y.gaps_untouched());
    }
  }
}

TEST_P(CpuKernels, AddRmsNormWritesTheSumAndItsNormOfAllOrSomeRows) {
  for (const auto& [tokens, width] : sizes) {
    for (const bool gathered : {false, true}) {
      const std::int64_t all = gathered ? 2 * tokens + 3 : tokens;
      Matrix x = Matrix::random(dtype, all, width, 1), r = Matrix::random(dtype, all, width, 2, 3.0F, 0);
      Matrix w = Matrix::random(dtype, 1, width, 3), sum{dtype, tokens, width}, y{dtype, tokens, width, 1};
      std::vector<std::int32_t> rows;
      for (std::int64_t t = 0; t < tokens; ++t) rows.push_back(static_cast<std::int32_t>((7 * t + 5) % all));
      k.add_rms_norm({.x = x.in(),
                      .residual = r.in(),
                      .w = w.data(),
                      .sum = sum.out(),
                      .y = y.out(),
                      .dtype = dtype,
                      .tokens = tokens,
                      .width = width,
                      .eps = 1e-6F,
                      .rows = gathered ? rows.data() : nullptr});
      const AddRmsNorm op{.tokens = tokens, .width = width, .gathered = gathered};
      Arrays<double> reads{x.values(), r.values(), w.values()};
      if (gathered) reads.emplace_back(rows.begin(), rows.end());
      const auto expected = reference(op, reads);
      EXPECT_LE(distance(sum.values(), expected[0]), tolerance(dtype)) << gathered;
      EXPECT_LE(distance(y.values(), expected[1]), 2 * tolerance(dtype)) << "rounded twice";
      EXPECT_TRUE(sum.gaps_untouched() && y.gaps_untouched());
    }
  }
}

TEST_P(CpuKernels, AddAndGatedActivations) {
  for (const auto& [tokens, width] : sizes) {
    Matrix a = Matrix::random(dtype, tokens, width, 1, 20.0F),
           b = Matrix::random(dtype, tokens, width, 2, 9.0F, 0);
    Matrix y{dtype, tokens, width};
    k.add({.x = a.in(), .r = b.in(), .y = y.out(), .dtype = dtype, .tokens = tokens, .width = width});
    EXPECT_LE(
        distance(y.values(), reference(Add{.tokens = tokens, .width = width}, {a.values(), b.values()})[0]),
        tolerance(dtype));
    for (const auto act : {Activation::silu, Activation::gelu_tanh, Activation::clamped_silu}) {
      Matrix z{dtype, tokens, width};
      k.gated({.gate = a.in(),
               .up = b.in(),
               .y = z.out(),
               .activation = act,
               .dtype = dtype,
               .tokens = tokens,
               .width = width});
      const GatedActivation op{.tokens = tokens, .width = width, .activation = act};
      EXPECT_LE(distance(z.values(), reference(op, {a.values(), b.values()})[0]), tolerance(dtype));
      EXPECT_TRUE(z.gaps_untouched());
    }
  }
}

TEST_P(CpuKernels, GatedActivationsOfExtremeInputsAreFinite) {
  Matrix gate{dtype, 1, 4}, up{dtype, 1, 4}, y{dtype, 1, 4};
  const float extremes[] = {-1e30F, -200.0F, 200.0F, 1e30F};
  for (std::int64_t i = 0; i < 4; ++i) gate.set(0, i, extremes[i]), up.set(0, i, 1.0F);
  k.gated({.gate = gate.in(), .up = up.in(), .y = y.out(), .dtype = dtype, .tokens = 1, .width = 4});
  EXPECT_EQ(y(0, 0), 0.0);
  EXPECT_EQ(y(0, 1), 0.0);
  EXPECT_EQ(y(0, 2), gate(0, 2));
  EXPECT_EQ(y(0, 3), gate(0, 3));
}

TEST_P(CpuKernels, RopeTurnsQueriesAndKeysInPlace) {
  for (const bool interleaved : {false, true}) {
    for (const std::int64_t rotary : {2, 8, 64, 80}) {
      const std::int64_t tokens = 3, q_heads = 3, k_heads = 1, positions = 7;
      Matrix q = Matrix::random(dtype, tokens, q_heads * rotary, 1),
             k_rows = Matrix::random(dtype, tokens, rotary, 2);
      const std::vector<double> q_before = q.values(), k_before = k_rows.values();
      Matrix table = Matrix::random(DType::f32, positions, rotary, 3, 1.0F, 0);
      const std::int32_t at[] = {6, 0, 3};
      std::vector<double> angles;
      for (const std::int32_t p : at) {
        for (std::int64_t i = 0; i < rotary; ++i) angles.push_back(table(p, i));
      }
      k.rope({.q = q.out(),
              .k = k_rows.out(),
              .table = static_cast<const float*>(table.data()),
              .positions = at,
              .dtype = dtype,
              .tokens = tokens,
              .q_heads = q_heads,
              .k_heads = k_heads,
              .rotary = rotary,
              .q_head_stride = rotary,
              .k_head_stride = rotary,
              .interleaved = interleaved});
      const RopeApply op{.tokens = tokens,
                         .q_heads = q_heads,
                         .k_heads = k_heads,
                         .rotary = rotary,
                         .interleaved = interleaved};
      const auto expected = reference(op, {q_before, k_before, angles});
      EXPECT_LE(distance(q.values(), expected[0]), tolerance(dtype));
      EXPECT_LE(distance(k_rows.values(), expected[1]), tolerance(dtype));
      EXPECT_TRUE(q.gaps_untouched() && k_rows.gaps_untouched());
    }
  }
}

TEST_P(CpuKernels, RopeLeavesTheRestOfAWiderHeadAlone) {
  Matrix q = Matrix::random(dtype, 1, 2 * 6, 1), before = q, none{dtype, 1, 1};
  const float table[] = {0, 0, 1, 1};  // a quarter turn
  const std::int32_t position = 0;
  k.rope({.q = q.out(),
          .k = none.out(),
          .table = table,
          .positions = &position,
          .dtype = dtype,
          .tokens = 1,
          .q_heads = 2,
          .rotary = 4,
          .q_head_stride = 6});
  for (const std::int64_t head : {0, 6}) {
    EXPECT_EQ(q(0, head + 0), -before(0, head + 2));
    EXPECT_EQ(q(0, head + 3), before(0, head + 1));
    EXPECT_EQ(q(0, head + 4), before(0, head + 4));
    EXPECT_EQ(q(0, head + 5), before(0, head + 5));
  }
}

TEST_P(CpuKernels, QuantizeScalesEachRowByItsLargestElement) {
  for (const auto& [tokens, width] : sizes) {
    Matrix x = Matrix::random(dtype, tokens, width, 1, 5.0F);
    std::vector<std::int8_t> q(static_cast<std::size_t>(tokens * (width + 2)), 99);
    std::vector<float> scales(static_cast<std::size_t>(tokens), NAN);
    k.quantize({.x = x.in(),
                .q = q.data(),
                .q_stride = width + 2,
                .scales = scales.data(),
                .dtype = dtype,
                .tokens = tokens,
                .width = width});
    const auto expected = reference(Quantize{.tokens = tokens, .width = width}, {x.values()});
    for (std::int64_t t = 0; t < tokens; ++t) {
      EXPECT_NEAR(scales[static_cast<std::size_t>(t)] / expected[1][static_cast<std::size_t>(t)], 1.0, 1e-6);
      for (std::int64_t i = 0; i < width; ++i) {
        EXPECT_NEAR(q[static_cast<std::size_t>(t * (width + 2) + i)],
                    expected[0][static_cast<std::size_t>(t * width + i)], 0.5001);
      }
      EXPECT_EQ(q[static_cast<std::size_t>(t * (width + 2) + width)], 99);
    }
  }
}

TEST_P(CpuKernels, QuantizeOfZerosIsZeros) {
  Matrix x{dtype, 1, 20};
  for (std::int64_t i = 0; i < 20; ++i) x.set(0, i, 0.0F);
  std::vector<std::int8_t> q(20, 99);
  float scale = NAN;
  k.quantize({.x = x.in(),
              .q = q.data(),
              .q_stride = 20,
              .scales = &scale,
              .dtype = dtype,
              .tokens = 1,
              .width = 20});
  EXPECT_EQ(scale, 0.0F);
  EXPECT_EQ(q, std::vector<std::int8_t>(20, 0));
}

TEST_P(CpuKernels, CombineAddsUpWeightedRows) {
  const std::int64_t tokens = 3, top_k = 2, width = 37;
  Matrix x = Matrix::random(dtype, tokens * top_k, width, 1), y{dtype, tokens, width};
  Matrix w = Matrix::random(DType::f32, tokens, top_k, 2, 1.0F, 0);
  k.combine({.x = x.in(),
             .weights = static_cast<const float*>(w.data()),
             .y = y.out(),
             .dtype = dtype,
             .tokens = tokens,
             .top_k = top_k,
             .width = width});
  const ExpertCombine op{.tokens = tokens, .top_k = top_k, .width = width};
  EXPECT_LE(distance(y.values(), reference(op, {x.values(), w.values()})[0]), tolerance(dtype));
  EXPECT_TRUE(y.gaps_untouched());
}

TEST_P(CpuKernels, GatherAndScatterMoveRows) {
  const std::int64_t width = 19, bytes = dtype == DType::bf16 ? 2 : 4;
  Matrix table = Matrix::random(dtype, 7, width, 1), y{dtype, 3, width}, back{dtype, 7, width};
  const std::int32_t ids[] = {6, 0, 3};
  k.gather({.x = table.in(), .rows = ids, .y = y.out(), .count = 3, .width = width, .element_bytes = bytes});
  k.scatter({.x = y.in(), .rows = ids, .y = back.out(), .count = 3, .width = width, .element_bytes = bytes});
  for (std::int64_t i = 0; i < 3; ++i) {
    for (std::int64_t c = 0; c < width; ++c) {
      EXPECT_EQ(y(i, c), table(ids[i], c));
      EXPECT_EQ(back(ids[i], c), table(ids[i], c));
    }
  }
  EXPECT_TRUE(std::isnan(back(1, 0)) && y.gaps_untouched());
}

TEST_P(CpuKernels, ArgmaxTakesTheFirstOfEqualLogits) {
  for (const std::int64_t width : {1, 5, 16, 49, 1000}) {
    Matrix x = Matrix::random(DType::f32, 3, width, 1);
    x.set(1, width / 2, 2.0F), x.set(1, width - 1, 2.0F);
    x.set(2, width - 1, 2.0F);
    std::int32_t ids[3] = {-1, -1, -1};
    k.argmax({.x = x.in(), .ids = ids, .tokens = 3, .width = width});
    for (std::int64_t t = 0; t < 3; ++t) {
      std::int32_t best = 0;
      for (std::int32_t i = 1; i < width; ++i) best = x(t, i) > x(t, best) ? i : best;
      EXPECT_EQ(ids[t], best);
    }
  }
}

}  // namespace
}  // namespace inferometer::cpu
