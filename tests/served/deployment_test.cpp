#include "served/deployment.hpp"

#include <gtest/gtest.h>

#include "scenarios/files.hpp"

namespace inferometer {
namespace {

const std::filesystem::path scenarios = std::filesystem::path{INFEROMETER_SOURCE} / "scenarios";
const Library library{.root = scenarios, .calibration = {}};

ServingConventions shipped() {
  const std::filesystem::path file = scenarios / "served" / "conventions.yaml";
  const auto conventions = read_conventions(read_file(file).value(), file);
  EXPECT_TRUE(conventions) << to_string(conventions.error());
  return *conventions;
}

ServingPoint dense_point() {
  return {.system = "h200_sxm",
          .backend = "trtllm",
          .model = "meta-llama/Llama-3.1-70B",
          .products = "fp8",
          .prompt_tokens = 1024,
          .output_tokens = 1024,
          .concurrency = 4,
          .tensor = 4,
          .expert_tensor = 4,
          .source = "ix"};
}

TEST(Deployment, TakesDeviceNetworkFormatsAndDivisionFromThePoint) {
  const auto deployment = deployment_of(dense_point(), shipped(), library);
  ASSERT_TRUE(deployment) << to_string(deployment.error());
  const Case& c = deployment->settings;
  EXPECT_EQ(c.cluster.device.name, "h200-sxm");
  EXPECT_EQ(c.model().layers, 80);
  EXPECT_EQ(c.plan.parallel.tensor, 4);
  EXPECT_EQ(c.plan.precision.weights.at(0, Role::qkv), DType::fp8);
  EXPECT_EQ(c.plan.precision.weights.at(-1, Role::lm_head), DType::bf16);
  EXPECT_EQ(c.plan.precision.kv.value, DType::fp8);
  EXPECT_TRUE(c.plan.launch.graphs);
}

TEST(Deployment, ExpertsOfGptOssAreInMxfp4AndItsWindowsFreeTheCache) {
  ServingPoint point = dense_point();
  point.model = "openai/gpt-oss-120b";
  point.products = "nvfp4";
  const auto deployment = deployment_of(point, shipped(), library);
  ASSERT_TRUE(deployment) << to_string(deployment.error());
  const Plan& plan = deployment->settings.plan;
  EXPECT_EQ(plan.precision.weights.at(0, Role::expert_down), DType::mxfp4);
  EXPECT_EQ(plan.precision.weights.at(0, Role::qkv), DType::bf16);
  EXPECT_EQ(plan.precision.kv.value, DType::bf16);
  EXPECT_GT(deployment->settings.serving.kv_blocks, 0);
}

TEST(Deployment, DivisionsThatWereMultipliedByTheExpertsAreTakenBack) {
  ServingPoint point = dense_point();
  point.tensor = 64, point.expert_tensor = 8, point.expert_parallel = 8;
  EXPECT_EQ(division_of(point).tensor, 8);
  point.tensor = 1, point.attention_data = 16, point.expert_tensor = 4, point.expert_parallel = 4;
  EXPECT_EQ(division_of(point).replicas, 4);
  point.tensor = 8, point.attention_data = 1, point.expert_tensor = 1, point.expert_parallel = 8;
  EXPECT_EQ(division_of(point).tensor, 8) << "whole experts on eight devices";
}

TEST(Deployment, ReplicasOfAttentionShareExpertsAndAreReplicasWhereThereAreNone) {
  ServingPoint point = dense_point();
  point.tensor = 1, point.attention_data = 4, point.pipeline = 2;
  const auto dense = deployment_of(point, shipped(), library);
  ASSERT_TRUE(dense) << to_string(dense.error());
  EXPECT_EQ(dense->settings.serving.replicas, 4);
  EXPECT_EQ(dense->settings.plan.parallel.pipeline, 2);
  EXPECT_EQ(dense->settings.cluster.count, 8);
  point.model = "openai/gpt-oss-120b", point.products = "nvfp4", point.pipeline = 1;
  const auto mixture = deployment_of(point, shipped(), library);
  ASSERT_TRUE(mixture) << to_string(mixture.error());
  EXPECT_EQ(mixture->settings.serving.replicas, 1);
  EXPECT_EQ(mixture->settings.plan.parallel.data, 4);
  EXPECT_TRUE(mixture->settings.plan.parallel.experts);
  EXPECT_EQ(mixture->settings.cluster.count, 4);
}

TEST(Deployment, WhatCannotBePredictedSaysWhy) {
  const ServingConventions conventions = shipped();
  const auto why = [&](const ServingPoint& point) {
    const auto deployment = deployment_of(point, conventions, library);
    return deployment ? std::string{} : deployment.error().front().message;
  };
  ServingPoint point = dense_point();
  point.model = "zhipuai/GLM-5";
  EXPECT_EQ(why(point), "sparse latent attention is not among the networks");
  point.model = "nobody/nothing";
  EXPECT_EQ(why(point), "model \"nobody/nothing\" is not among the conventions");
  point = dense_point();
  point.products = "fp3";
  EXPECT_EQ(why(point), "format \"fp3\" is not among the conventions");
}

TEST(Conventions, MistakesAreToldTogetherAtTheirPlaces) {
  const auto read = read_conventions(
      "models:\n  m: {set: {precision.wieghts: fp8}}\nproducts: {}\nengines: {}\nlengths:\n  - {source: ix, "
      "shortest_percent: 0}\n",
      "c.yaml");
  ASSERT_FALSE(read);
  const std::string told = to_string(read.error());
  EXPECT_NE(told.find("c.yaml:2:13: error"), std::string::npos) << told;
  EXPECT_NE(told.find("either a preset is needed, or not_predicted with the reason"), std::string::npos)
      << told;
  EXPECT_NE(told.find("lengths[0].shortest_percent: must be 1 to 100"), std::string::npos) << told;
}

}  // namespace
}  // namespace inferometer
