#include "model/tuning.hpp"

#include <gtest/gtest.h>

#include "tests/model/networks.hpp"

namespace inferometer {
namespace {

Features prefill(std::int64_t sequences, std::int64_t tokens) {
  Features f{.tokens = sequences * tokens, .sequences = sequences, .logit_rows = sequences};
  f.slices.assign(static_cast<std::size_t>(sequences), {tokens, 0});
  return f;
}

std::vector<std::string> shapes_of(const Plan& plan, const Features& features) {
  const auto structure = compile(tiny_llama(), plan);
  EXPECT_TRUE(structure) << to_string(structure.error());
  std::vector<std::string> all;
  for (const ProductShape& shape : product_shapes(*structure, features)) all.push_back(to_string(shape));
  return all;
}

TEST(ProductShapes, AreThoseOfAllLayersAndTheHead) {
  Plan plan;
  plan.fusion = {.qkv = true, .gate_up = true};
  EXPECT_EQ(
      shapes_of(plan, prefill(2, 5)),
      (std::vector<std::string>{
          "2 tokens, 32 in, 100 out, bf16 by bf16 to f32", "10 tokens, 32 in, 32 out, bf16 by bf16 to bf16",
          "10 tokens, 32 in, 64 out, bf16 by bf16 to bf16", "10 tokens, 32 in, 96 out, bf16 by bf16 to bf16",
          "10 tokens, 48 in, 32 out, bf16 by bf16 to bf16"}));
}

TEST(ProductShapes, LeaveOutWhatRunsInAnothersKernel) {
  Plan plan;
  plan.fusion = {.qkv = true, .gate_up = true, .norm_product = true};
  EXPECT_EQ(shapes_of(plan, prefill(1, 1)),
            (std::vector<std::string>{"1 tokens, 32 in, 32 out, bf16 by bf16 to bf16",
                                      "1 tokens, 48 in, 32 out, bf16 by bf16 to bf16"}));
  plan.fusion.gated_product = true;
  EXPECT_EQ(shapes_of(plan, prefill(1, 1)),
            std::vector<std::string>{"1 tokens, 32 in, 32 out, bf16 by bf16 to bf16"});
}

TEST(ProductShapes, LeaveOutWhatAnotherNodeIsJoinedTo) {
  Plan plan;
  plan.fusion = {.qkv = true, .gate_up = true, .gated_epilogue = true};
  EXPECT_EQ(
      shapes_of(plan, prefill(1, 1)),
      (std::vector<std::string>{
          "1 tokens, 32 in, 32 out, bf16 by bf16 to bf16", "1 tokens, 32 in, 64 out, bf16 by bf16 to bf16",
          "1 tokens, 32 in, 100 out, bf16 by bf16 to f32", "1 tokens, 48 in, 32 out, bf16 by bf16 to bf16"}));
  EXPECT_EQ(shapes_of(plan, prefill(1, 129)).size(), shapes_of(plan, prefill(1, 128)).size() + 1)
      << "gate and up, which 129 tokens, of two tiles of 128, are not joined to";
}

TEST(ProductShapes, LeaveOutWhatScalesRowsOfANormBefore) {
  Plan plan;
  plan.fusion = {.qkv = true, .gate_up = true, .residual_norm = true};
  const std::size_t apart = shapes_of(plan, prefill(2, 1)).size();
  plan.fusion.norm_epilogue = true;
  // Products with norms behind them, o and down, and those behind these, qkv of all layers but the first and
  // gate_up: left are the head, and the first layer's qkv and the last's down.
  EXPECT_EQ(shapes_of(plan, prefill(2, 1)),
            (std::vector<std::string>{"2 tokens, 32 in, 64 out, bf16 by bf16 to bf16",
                                      "2 tokens, 32 in, 100 out, bf16 by bf16 to f32",
                                      "2 tokens, 48 in, 32 out, bf16 by bf16 to bf16"}));
  EXPECT_EQ(apart, 5U);
}

TEST(ProductShapes, LeaveOutWeightsThatOneKernelExpands) {
  Plan plan;
  plan.precision.weights = DType::int4;
  EXPECT_TRUE(shapes_of(plan, prefill(1, 4)).empty());
}

TEST(Tuning, FindsAProductByAllOfItsSizes) {
  const ProductShape shape{.tokens = 8, .in = 64, .out = 96, .x_stride = 64, .y_stride = 96};
  Tuning tuning;
  tuning.products[shape].choice = {ProductKernel::streamed, {}};
  EXPECT_NE(tuning.find(shape), nullptr);
  ProductShape other = shape;
  other.tokens = 9;
  EXPECT_EQ(tuning.find(other), nullptr);
  other = shape;
  other.y_stride = 192;
  EXPECT_EQ(tuning.find(other), nullptr);
  other = shape;
  other.y = DType::f32;
  EXPECT_EQ(tuning.find(other), nullptr);
}

TEST(Tuning, SaysWhatAChoiceIs) {
  EXPECT_EQ(to_string(ProductChoice{}), "cublaslt");
  EXPECT_EQ(to_string(ProductChoice{ProductKernel::cublaslt, LibraryAlgorithm{.id = 66, .split_k = 3}}),
            "cublaslt id 66, split_k 3");
}

}  // namespace
}  // namespace inferometer
