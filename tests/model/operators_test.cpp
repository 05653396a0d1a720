#include "model/operators/operators.hpp"

#include <gtest/gtest.h>

#include <set>

#include "model/seeded.hpp"
#include "tests/model/counting.hpp"

namespace inferometer {
namespace {

/// Operands filled with small numbers; indices so that they are valid, and experts so that example's count is
/// touched.
Arrays<Counted> arrays_for(const std::vector<Operand>& operands, std::int64_t index_limit) {
  Arrays<Counted> all;
  for (const Operand& o : operands) {
    std::vector<Counted> values;
    for (std::int64_t i = 0; i < o.shape.elements(); ++i) {
      const double drawn = 0.5 + 0.25 * static_cast<double>(seeded_uniform(7, static_cast<std::uint64_t>(i)));
      values.emplace_back(o.use == Use::index && o.dtype == DType::i32 ? static_cast<double>(i % index_limit)
                                                                       : drawn);
    }
    all.push_back(std::move(values));
  }
  return all;
}

/// What reference() does on a number type that counts, against flops().
template <class Op>
void expect_formula_counts(const Op& op, std::int64_t index_limit) {
  const Operands operands = op.operands();
  Arrays<Counted> reads = arrays_for(operands.reads, index_limit), writes = arrays_for(operands.writes, 1);
  Counted::operations = 0;
  op.reference(reads, writes);
  EXPECT_EQ(Counted::operations, op.flops().value) << Op::name << ": " << Op::flops_formula;
}

template <class Op>
class EveryOperator : public ::testing::Test {};

template <class Variant>
struct Types;
template <class... Ops>
struct Types<std::variant<Ops...>> {
  using list = ::testing::Types<Ops...>;
};
TYPED_TEST_SUITE(EveryOperator, Types<AnyOperator>::list);

TYPED_TEST(EveryOperator, FlopsFormulaCountsWhatTheReferenceDoes) {
  expect_formula_counts(TypeParam::example(), 4);
}

TYPED_TEST(EveryOperator, OperandsHaveNamesAndPositiveSizes) {
  const Operands operands = TypeParam::example().operands();
  EXPECT_FALSE(operands.reads.empty());
  EXPECT_FALSE(operands.writes.empty());
  for (const auto* side : {&operands.reads, &operands.writes}) {
    std::set<std::string_view> names;
    for (const Operand& o : *side) {
      EXPECT_TRUE(names.insert(o.name).second) << o.name;
      EXPECT_GT(o.compulsory().value, 0) << o.name;
      EXPECT_LE(o.compulsory(), o.stored()) << o.name;
    }
  }
}

TYPED_TEST(EveryOperator, CompulsoryBytesAreTheSumOfItsOperands) {
  const TypeParam op = TypeParam::example();
  Bytes sum{0};
  const Operands operands = op.operands();
  for (const Operand& o : operands.reads) sum += o.compulsory();
  for (const Operand& o : operands.writes) sum += o.compulsory();
  EXPECT_EQ(compulsory_bytes(AnyOperator{op}), sum);
}

TEST(Linear, CountsEachWeightFormat) {
  for (const DType w :
       {DType::f32, DType::bf16, DType::int8, DType::fp8, DType::int4, DType::mxfp4, DType::nvfp4}) {
    for (const DType x : {DType::bf16, DType::int8, DType::fp8}) {
      for (const bool bias : {false, true}) {
        for (const bool residual : {false, true})
          expect_formula_counts(
              Linear{.tokens = 3, .in = 8, .out = 5, .x = x, .w = {w}, .bias = bias, .residual = residual},
              1);
      }
    }
  }
}

TEST(AddRmsNorm, TakesTheRowsThatAreWanted) {
  const AddRmsNorm op{.tokens = 2, .width = 8, .gathered = true};
  expect_formula_counts(op, 2);
  EXPECT_EQ(compulsory_bytes(AnyOperator{op}).value, 4 * 2 * 8 * 2 + 8 * 2 + 2 * 4) << "rows' numbers too";
  std::vector<double> residual(24);
  for (std::size_t i = 0; i < 24; ++i) residual[i] = static_cast<double>(i / 8);
  Arrays<double> y(2, std::vector<double>(16));
  op.reference<double>({std::vector<double>(24, 1.0), residual, std::vector<double>(8, 1.0), {2, 0}}, y);
  EXPECT_EQ(y[0][0], 3);
  EXPECT_EQ(y[0][8], 1);
  EXPECT_NEAR(y[1][15], 1, 1e-5);
}

TEST(ExpertLinear, CountsEachWeightFormat) {
  for (const DType w : {DType::bf16, DType::int8, DType::fp8, DType::int4, DType::mxfp4, DType::nvfp4}) {
    ExpertLinear op = ExpertLinear::example();
    op.w = {w};
    op.bias = true;
    expect_formula_counts(op, 4);
    op.per_assignment = true;
    op.x = DType::int8;
    expect_formula_counts(op, 4);
  }
}

TEST(Router, CountsEachKindOfScoring) {
  expect_formula_counts(Router{.tokens = 3, .experts = 8, .top_k = 2, .softmax_after_top_k = true}, 1);
  expect_formula_counts(Router{.tokens = 3, .experts = 8, .top_k = 2, .normalize = true}, 1);
  expect_formula_counts(Router{.tokens = 3,
                               .experts = 8,
                               .top_k = 2,
                               .score = RouterScore::sigmoid,
                               .normalize = true,
                               .correction = true,
                               .groups = 4,
                               .top_groups = 2,
                               .group_rank = GroupRank::best_two,
                               .scaling = 2.5},
                        1);
  expect_formula_counts(Router{.tokens = 3,
                               .experts = 8,
                               .top_k = 2,
                               .groups = 4,
                               .top_groups = 2,
                               .group_rank = GroupRank::best,
                               .scaling = 16},
                        1);
}

TEST(GatedActivation, CountsEachActivation) {
  for (const Activation a : {Activation::silu, Activation::gelu_tanh, Activation::clamped_silu}) {
    expect_formula_counts(GatedActivation{.tokens = 3, .width = 8, .activation = a}, 1);
  }
}

TEST(Quantize, CountsBothFormats) {
  for (const DType to : {DType::int8, DType::fp8})
    expect_formula_counts(Quantize{.tokens = 3, .width = 8, .to = to}, 1);
}

TEST(Attention, CountsWindowsSinksAndLatentValues) {
  Attention op = Attention::example();
  op.slices = {{5, 3}, {1, 6}, {4, 0}};
  for (const std::int64_t window : {0, 1, 2, 4, 7, 100}) {
    op.window = window;
    op.sinks = window % 2 == 0;
    expect_formula_counts(op, 1);
  }
  expect_formula_counts(
      Attention{.slices = {{2, 3}}, .heads = 4, .kv_heads = 1, .head_dim = 6, .v_dim = 4, .v_in_k = true}, 1);
}

TEST(AttentionSlice, CountsPairsAndVisibleTokens) {
  EXPECT_EQ((AttentionSlice{.fresh = 3, .cached = 0}.pairs(0)), 6);    // 1 + 2 + 3
  EXPECT_EQ((AttentionSlice{.fresh = 2, .cached = 3}.pairs(0)), 9);    // 4 + 5
  EXPECT_EQ((AttentionSlice{.fresh = 2, .cached = 3}.pairs(2)), 4);    // 2 + 2
  EXPECT_EQ((AttentionSlice{.fresh = 3, .cached = 0}.pairs(2)), 5);    // 1 + 2 + 2
  EXPECT_EQ((AttentionSlice{.fresh = 1, .cached = 9}.visible(4)), 4);  // itself and three before
  EXPECT_EQ((AttentionSlice{.fresh = 2, .cached = 9}.visible(4)), 5);
  EXPECT_EQ((AttentionSlice{.fresh = 2, .cached = 1}.visible(4)), 3);
}

TEST(ExpertLinear, ExpectedExpertsFollowsTheUniformDraw) {
  EXPECT_EQ(expected_experts(8, 2, 1), 2);     // one token touches its two
  EXPECT_EQ(expected_experts(8, 2, 2), 4);     // 8 (1 - (3/4)^2) = 3.5, rounded
  EXPECT_EQ(expected_experts(8, 2, 1000), 8);  // everybody is asked
  EXPECT_EQ(expected_experts(128, 8, 0), 0);
}

}  // namespace
}  // namespace inferometer
