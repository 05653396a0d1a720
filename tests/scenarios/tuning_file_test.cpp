#include "scenarios/tuning_file.hpp"

#include "tests/scenarios/files_for_tests.hpp"

namespace inferometer {
namespace {

const ProductShape wide{.tokens = 2048, .in = 64, .out = 128, .x_stride = 64, .y_stride = 128};
const ProductShape strided{.tokens = 8,
                           .in = 64,
                           .out = 96,
                           .x = DType::fp8,
                           .w = DType::fp8,
                           .y = DType::f32,
                           .x_stride = 80,
                           .y_stride = 192};

Tuning example() {
  Tuning t{.gpu = "NVIDIA \"H200\"", .driver = "13.0", .cublaslt = "13.1.0", .date = "2026-11-27"};
  t.products[wide] = {.choice = {ProductKernel::cublaslt, LibraryAlgorithm{.id = 66,
                                                                           .tile = 20,
                                                                           .stages = 36,
                                                                           .split_k = 1,
                                                                           .reduction = 2,
                                                                           .swizzle = 1,
                                                                           .custom = 4294967295,
                                                                           .inner_shape = 3,
                                                                           .cluster_shape = 7}},
                      .time = Seconds{640.5e-6},
                      .default_time = Seconds{660e-6}};
  t.products[strided] = {
      .choice = {ProductKernel::streamed, {}}, .time = Seconds{10e-6}, .default_time = Seconds{12e-6}};
  return t;
}

/// What is told about the example's text with `from` replaced.
std::string told_with(const std::string& from, const std::string& to) {
  std::string text = print_tuning(example());
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
  const auto tuning = read_tuning(text, "t.yaml");
  return tuning ? "read" : to_string(tuning.error());
}

TEST(TuningFile, PrintsToATextThatReadsBack) {
  const Tuning t = example();
  const auto again = read_tuning(print_tuning(t), "t.yaml");
  ASSERT_TRUE(again) << print_tuning(t) << to_string(again.error());
  EXPECT_EQ(again->gpu, t.gpu);
  EXPECT_EQ(again->driver, t.driver);
  EXPECT_EQ(again->cublaslt, t.cublaslt);
  EXPECT_EQ(again->date, t.date);
  ASSERT_EQ(again->products.size(), 2U);
  for (const auto& [shape, product] : t.products) {
    const TunedProduct* found = again->find(shape);
    ASSERT_NE(found, nullptr) << to_string(shape);
    EXPECT_EQ(found->choice, product.choice) << to_string(shape);
    EXPECT_NEAR(found->time / product.time, 1, 1e-6);
    EXPECT_NEAR(found->default_time / product.default_time, 1, 1e-6);
  }
  EXPECT_EQ(print_tuning(*again), print_tuning(t));
  EXPECT_TRUE(again->source.starts_with("t.yaml (hash ")) << again->source;
  const auto other = read_tuning(print_tuning(t) + "# other\n", "t.yaml");
  EXPECT_NE(other->source, again->source);
}

TEST(TuningFile, MayHoldNothing) {
  Tuning t = example();
  t.products.clear();
  const auto again = read_tuning(print_tuning(t), "t.yaml");
  ASSERT_TRUE(again) << to_string(again.error());
  EXPECT_TRUE(again->products.empty());
}

TEST(TuningFile, MistakesAreToldWithPlaces) {
  EXPECT_EQ(told_with("gpu:", "gpv:"),
            "t.yaml:3:1: error: missing key \"gpu\"\n"
            "t.yaml:3:1: error: unknown key \"gpv\"; did you mean \"gpu\"?\n");
  EXPECT_EQ(told_with("tokens: 8,", "tokens: 0,"),
            "t.yaml:8:14: error: products[0].tokens: must be 1 to 2147483648, is 0\n");
  EXPECT_EQ(told_with("x: fp8", "x: fp9").substr(0, 48),
            "t.yaml:8:37: error: products[0].x: \"fp9\" is not ");
  EXPECT_EQ(told_with("time: 10 us", "time: 10"),
            "t.yaml:9:12: error: products[0].time: \"10\" has no unit (ns, us, ms, s); a time is needed, "
            "such as \"3 us\"\n");
  EXPECT_EQ(told_with("kernel: streamed", "kernel: fast"),
            "t.yaml:9:48: error: products[0].kernel: \"fast\" is not one of cublaslt, one_token, streamed\n");
  EXPECT_EQ(told_with("kernel: streamed", "kernel: cublaslt"),
            "t.yaml:8:5: error: products[0].algorithm: cublaslt needs one\n");
  EXPECT_EQ(told_with("kernel: cublaslt", "kernel: one_token"),
            "t.yaml:12:17: error: products[1].algorithm: one_token has none\n");
  EXPECT_EQ(told_with("tile: 20, ", ""),
            "t.yaml:12:17: error: products[1].algorithm: missing key \"tile\"\n");
  EXPECT_EQ(told_with("swizzle: 1", "swizzle: -1"),
            "t.yaml:12:83: error: products[1].algorithm.swizzle: must be 0 to 4294967295, is -1\n");
  EXPECT_EQ(told_with("products:\n", "products: 5\nrest:\n").substr(0, 46),
            "t.yaml:7:11: error: products: a list is needed");
  const std::string twice =
      print_tuning(example()) + print_tuning(example()).substr(print_tuning(example()).find("  - "));
  const auto repeated = read_tuning(twice, "t.yaml");
  ASSERT_FALSE(repeated);
  EXPECT_EQ(to_string(repeated.error()),
            "t.yaml:13:14: error: products[2].tokens: these sizes stand in the file twice\n"
            "t.yaml:15:14: error: products[3].tokens: these sizes stand in the file twice\n");
}

using TuningOfAScenario = InFolder;

const std::string on_gpu = right_scenario + "execute: {backend: \"cuda:0\"";

TEST_F(TuningOfAScenario, IsTheUsersOwnWhereNoneIsNamed) {
  const auto scenario = load_scenario(write("s.yaml", on_gpu + "}\n"), library_);
  ASSERT_TRUE(scenario) << told(scenario.error());
  const auto nothing = find_tuning(*scenario, library_);
  ASSERT_TRUE(nothing);
  EXPECT_EQ(nothing->source, "none");
  write("calibration/tuning-cuda0.yaml", print_tuning(example()));
  const auto own = find_tuning(*scenario, library_);
  ASSERT_TRUE(own) << told(own.error());
  EXPECT_EQ(own->products.size(), 2U);
  EXPECT_NE(own->source.find("tuning-cuda0.yaml (hash "), std::string::npos) << own->source;
}

TEST_F(TuningOfAScenario, IsTheFileThatItNames) {
  write("calibration/tuning-cuda0.yaml", "not this one");
  const auto scenario = load_scenario(write("s.yaml", on_gpu + ", tuning: t.yaml}\n"), library_);
  ASSERT_TRUE(scenario) << told(scenario.error());
  const auto missing = find_tuning(*scenario, library_);
  ASSERT_FALSE(missing);
  EXPECT_EQ(told(missing.error()), "error: no such file: t.yaml; `inferometer tune` writes it\n");
  write("t.yaml", print_tuning(example()));
  EXPECT_TRUE(find_tuning(*scenario, library_));
  const auto none = load_scenario(write("s.yaml", on_gpu + ", tuning: none}\n"), library_);
  ASSERT_TRUE(none) << told(none.error());
  const auto nothing = find_tuning(*none, library_);
  ASSERT_TRUE(nothing);
  EXPECT_EQ(nothing->source, "none");
}

TEST_F(TuningOfAScenario, BelongsToAGpu) {
  const auto scenario =
      load_scenario(write("s.yaml", right_scenario + "execute: {backend: cpu, tuning: t.yaml}\n"), library_);
  ASSERT_FALSE(scenario);
  EXPECT_NE(
      told(scenario.error()).find("s.yaml:5:33: error: execute.tuning: only kernels of cuda:N are tuned"),
      std::string::npos)
      << told(scenario.error());
}

TEST_F(TuningOfAScenario, ItsProductsAreThoseOfEachVariantsSteps) {
  const auto scenario =
      load_scenario(write("s.yaml", right_scenario + "variants:\n  - name: overlapped\n    set: "
                                                     "{launch.overlap: true}\n  - name: "
                                                     "wide\n    set: {workload.batch: 3}\n"),
                    library_);
  ASSERT_TRUE(scenario) << told(scenario.error());
  const auto shapes = product_shapes(*scenario);
  ASSERT_TRUE(shapes) << told(shapes.error());
  std::map<std::int64_t, std::set<bool>> tokens;
  for (const auto& [shape, overlap] : *shapes) tokens[shape.tokens].insert(overlap);
  // Prompts of 16 tokens, their heads, and decode steps, of one sequence and of three.
  EXPECT_EQ(tokens,
            (std::map<std::int64_t, std::set<bool>>{{1, {true}}, {3, {false}}, {16, {true}}, {48, {false}}}));
}

}  // namespace
}  // namespace inferometer
