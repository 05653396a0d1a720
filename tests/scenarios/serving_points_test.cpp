#include "scenarios/serving_points.hpp"

#include <gtest/gtest.h>

namespace inferometer {
namespace {

const std::string header =
    "system,backend,model,gemm_quant_mode,isl,osl,concurrency,tp_size,pp_size,attention_dp_size,moe_tp_size,"
    "moe_ep_size,ttft_ms,tpot_ms,source\n";

TEST(ServingPoints, AreReadWithTheirLines) {
  const auto points = read_serving_points(header +
                                              "h200_sxm,vllm,m,fp8,1024,128,4,2,1,,2,1,80.5,9.25,ix\n\nh200_"
                                              "sxm,vllm,m,fp8,1,2,3,4,5,6,7,8,9,10,s\n",
                                          "p.csv");
  ASSERT_TRUE(points) << to_string(points.error());
  ASSERT_EQ(points->size(), 2U);
  const ServingPoint& first = points->front();
  EXPECT_EQ(first.line, 2);
  EXPECT_EQ(first.backend, "vllm");
  EXPECT_EQ(first.prompt_tokens, 1024);
  EXPECT_EQ(first.output_tokens, 128);
  EXPECT_EQ(first.attention_data, 1) << "empty where it is not given";
  EXPECT_EQ(first.tpot_ms, 9.25);
  EXPECT_EQ(points->back().line, 4);
  EXPECT_EQ(points->back().attention_data, 6);
}

TEST(ServingPoints, MistakesAreToldTogetherAtTheirPlaces) {
  const auto points = read_serving_points(header +
                                              "h200_sxm,,m,fp8,1024,128,4,2,1,,2,1,80.5,fast,ix\nh200_sxm,"
                                              "vllm,m,fp8,0,128,4,2,1,,2,1,1,1,ix\n1,2\n",
                                          "p.csv");
  ASSERT_FALSE(points);
  EXPECT_EQ(to_string(points.error()),
            "p.csv:2:10: error: backend: a name is needed\n"
            "p.csv:2:42: error: tpot_ms: \"fast\" is not a number\n"
            "p.csv:3:21: error: isl: must be positive, is 0\n"
            "p.csv:4:1: error: 2 fields where the header names 15\n");
}

TEST(ServingPoints, ColumnsThatAreMissingAreNamed) {
  const auto points = read_serving_points("system,backend,model,gemm_quant_mode,isl,osl\n", "p.csv");
  ASSERT_FALSE(points);
  EXPECT_NE(to_string(points.error())
                .find("p.csv:1:1: error: serving points need columns that are not here: "
                      "concurrency,tp_size"),
            std::string::npos);
}

}  // namespace
}  // namespace inferometer
