#include "roofline/steps/step_calls.hpp"

#include <gtest/gtest.h>

#include "tests/model/networks.hpp"

namespace inferometer {
namespace {

/// The kernels of a prompt of so many tokens that contain a node of `Op`.
template <class Op>
std::vector<std::vector<StepCall>> calls_with(const Structure& s, std::int64_t tokens, LaunchMode mode,
                                              bool executed) {
  const Features f{.tokens = tokens, .sequences = 1, .logit_rows = 1, .slices = {{tokens, 0}}};
  const Graph graph = bind(s, f);
  std::vector<std::vector<StepCall>> found;
  for (std::size_t v = 0; v < s.nodes.size(); ++v) {
    const NodeRange kernel = kernel_of(s, v, f);
    if (std::holds_alternative<Op>(graph[v].op)) found.push_back(step_calls(graph, kernel, mode, executed));
  }
  return found;
}

TEST(StepCalls, GatedProductsOfManyTokensAreOfTilesOfOurOwnWhereTheyAreExecuted) {
  Plan plan;
  plan.fusion.gate_up = plan.fusion.gated_epilogue = true;
  const Architecture a = tiny_llama();
  const Structure s = *compile(a, plan);
  const auto product = [&](std::int64_t tokens, bool executed) {
    const auto all = calls_with<GatedActivation>(s, tokens, LaunchMode::graph_overlap, executed);
    EXPECT_EQ(all.size(), static_cast<std::size_t>(a.layers));
    return all.front().front();
  };
  for (const std::int64_t tokens : {65, 128, 256}) {
    const StepCall call = product(tokens, true);
    const auto* gated = std::get_if<GatedProduct>(&call.call);
    ASSERT_NE(gated, nullptr) << tokens;
    EXPECT_EQ(gated->m, tokens);
    EXPECT_EQ(gated->n, a.intermediate);
    EXPECT_EQ(gated->k, a.hidden);
    EXPECT_TRUE(multiplies(call.call)) << "lower clocks slow it down";
    EXPECT_TRUE(std::holds_alternative<Gemm>(product(tokens, false).call)) << "others' kernels";
  }
  EXPECT_TRUE(std::holds_alternative<Gemm>(product(64, true).call)) << "weights are streamed";
  // 129 of 256 places: the library's product, and an activation by itself.
  EXPECT_TRUE(std::holds_alternative<Elementwise>(product(129, true).call));
}

TEST(StepCalls, Int4WeightsOfManyTokensAreUnpackedForTheLibraryWhereTheyAreExecuted) {
  Plan plan;
  plan.precision.weights = Selected<DType>{DType::int4};
  const Architecture a = tiny_llama();
  const Result<Structure> s = compile(a, plan);
  ASSERT_TRUE(s);
  const auto product = [&](std::int64_t tokens, bool executed) {
    return calls_with<Linear>(*s, tokens, LaunchMode::graph, executed).front();
  };
  EXPECT_EQ(std::get<Gemm>(product(2048, true).front().call).format, Format::int4_wo);
  EXPECT_EQ(std::get<Gemm>(product(2049, false).front().call).format, Format::int4_wo) << "others' kernels";
  const std::vector<StepCall> both = product(2049, true);
  ASSERT_EQ(both.size(), 2U);
  const Gemm& multiplied = std::get<Gemm>(both[0].call);
  EXPECT_EQ(multiplied.format, Format::bf16);
  EXPECT_EQ(multiplied.m, 2049);
  const Elementwise& unpacking = std::get<Elementwise>(both[1].call);
  EXPECT_EQ(unpacking.rows, multiplied.n);
  // A row is read at 4 bits and a scale and zero point of each group, and written at 16 bits.
  EXPECT_GT(unpacking.row_bytes, multiplied.k / 2 + 2 * multiplied.k);
  EXPECT_LE(unpacking.row_bytes, multiplied.k / 2 + 2 * multiplied.k + 8 * ((multiplied.k + 127) / 128));
  EXPECT_TRUE(of_library(both));
}

TEST(StepCalls, ShortKernelsThatOverlapOthersHaveModelsByHowManyRowsAndHowTheyAreLaunched) {
  const Structure s = *compile(tiny_llama(), {});
  const auto variant = [&](std::int64_t tokens, LaunchMode mode) {
    return calls_with<RmsNorm>(s, tokens, mode, true).front().front().variant;
  };
  EXPECT_EQ(variant(64, LaunchMode::graph_overlap), "rms_norm/overlap, few");
  EXPECT_EQ(variant(65, LaunchMode::graph_overlap), "rms_norm/overlap");
  EXPECT_EQ(variant(64, LaunchMode::eager_overlap), "rms_norm/overlap, few, eager");
  EXPECT_EQ(variant(65, LaunchMode::eager_overlap), "rms_norm/overlap, eager");
  EXPECT_EQ(variant(64, LaunchMode::graph), "rms_norm");
}

}  // namespace
}  // namespace inferometer
