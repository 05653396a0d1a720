#include "executor/cpu/supported.hpp"

#include <gtest/gtest.h>

#include "tests/model/networks.hpp"

namespace inferometer::cpu {
namespace {

TEST(SupportedOnCpu, AttentionByCudnnIsRefused) {
  Case c;
  c.models["model"] = tiny_llama();
  const auto refused = [&] {
    const auto structure = compile(c.model(), c.plan);
    EXPECT_TRUE(structure);
    return to_string(not_executed(c, *structure));
  };
  EXPECT_EQ(refused(), "");
  c.plan.kernels.attention = AttentionKernel::cudnn;
  EXPECT_EQ(
      refused(),
      "error: backend cpu: kernels.attention: cudnn runs on GPUs only; naive and tiled are executed here\n");
}

TEST(SupportedOnCpu, ResidualsInsideProductsAreRefused) {
  Case c;
  c.models["model"] = tiny_llama();
  c.plan.fusion.residual_product = true;
  const auto structure = compile(c.model(), c.plan);
  ASSERT_TRUE(structure);
  EXPECT_EQ(to_string(not_executed(c, *structure)),
            "error: backend cpu: fusion.residual_product: products do not take the residual along here\n");
}

}  // namespace
}  // namespace inferometer::cpu
