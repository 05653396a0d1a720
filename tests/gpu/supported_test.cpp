#include "executor/cuda/supported.hpp"

#include <gtest/gtest.h>

#include "executor/cuda/cudnn/prompt_attention.hpp"
#include "model/structure.hpp"

namespace inferometer::cuda {
namespace {

struct Network {
  Plan plan;
  std::int64_t width = 64;  ///< of an expert
};

/// Why a mixture of experts does not run, one line each; empty where it does.
std::string refused(const Network& n, int major = 9) {
  Case c;
  Architecture a;
  a.layers = 2;
  a.hidden = 128;
  a.heads = 4;
  a.kv_heads = 2;
  a.head_dim = 64;
  a.intermediate = 256;
  a.vocab = 112;
  a.moe = MixtureOfExperts{.experts = 8, .top_k = 2, .intermediate = n.width, .sparse_layer = {true, true}};
  c.models["model"] = a;
  c.plan = n.plan;
  const auto structure = compile(a, n.plan);
  EXPECT_TRUE(structure) << to_string(structure.error());
  const Errors errors = not_executed(c, *structure, {.major = major, .processors = 132});
  return errors.empty() ? "" : to_string(errors);
}

/// The same of a network whose attention is cuDNN's.
std::string refused_by_cudnn(std::int64_t head_dim, bool sinks, DType kv) {
  Case c;
  Architecture a;
  a.layers = 2;
  a.hidden = 128;
  a.heads = 4;
  a.kv_heads = 2;
  a.head_dim = head_dim;
  a.intermediate = 256;
  a.vocab = 112;
  a.attention_sinks = sinks;
  c.models["model"] = a;
  c.plan.kernels.attention = AttentionKernel::cudnn;
  c.plan.precision.kv = Selected<DType>{kv};
  const auto structure = compile(a, c.plan);
  EXPECT_TRUE(structure) << to_string(structure.error());
  const Errors errors = not_executed(c, *structure, {.major = 9, .processors = 132});
  return errors.empty() ? "" : to_string(errors);
}

TEST(SupportedOnGpu, AttentionByCudnn) {
  if (const std::string missing = cudnn_missing(); !missing.empty()) {
    EXPECT_EQ(refused_by_cudnn(64, false, DType::bf16),
              "error: backend cuda: kernels.attention: cudnn: not built: " + missing + "\n");
    EXPECT_EQ(cudnn_version(), "");
    EXPECT_FALSE(open_cudnn());
    return;
  }
  EXPECT_EQ(refused_by_cudnn(64, false, DType::bf16), "");
  EXPECT_EQ(refused_by_cudnn(128, false, DType::bf16), "");
  EXPECT_NE(refused_by_cudnn(32, false, DType::bf16).find("heads of 32 are not executed"), std::string::npos);
  EXPECT_NE(refused_by_cudnn(64, true, DType::bf16).find("attention sinks"), std::string::npos);
  EXPECT_NE(refused_by_cudnn(64, false, DType::fp8).find("the cache is in fp8"), std::string::npos);
  EXPECT_TRUE(cudnn_version().starts_with("9."));
}

TEST(SupportedOnGpu, MixturesOfExperts) {
  Plan loop, recorded_loop;
  loop.kernels.experts = recorded_loop.kernels.experts = ExpertKernel::loop;
  recorded_loop.launch.graphs = true;
  EXPECT_EQ(refused({}), "");
  EXPECT_EQ(refused({.plan = loop}), "");
  Plan fp8;
  fp8.precision.weights = {DType::fp8};
  fp8.precision.inputs = {InputFormat::fp8};
  EXPECT_EQ(refused({.plan = fp8}), "");
  fp8.kernels.experts = ExpertKernel::loop;
  EXPECT_NE(refused({.plan = fp8}).find("kernels.experts: loop is executed in bf16 only"), std::string::npos);
  EXPECT_EQ(refused({.plan = loop}, 8), "");
  EXPECT_NE(refused({}, 8).find("kernels.experts: grouped needs compute capability 9.0"), std::string::npos);
  EXPECT_NE(refused({.plan = recorded_loop}).find("kernels.experts: loop waits for the routing on the host"),
            std::string::npos);
  Plan joined;
  joined.fusion = {.gate_up = true, .residual_norm = true, .norm_router = true, .experts = true};
  EXPECT_EQ(refused({.plan = joined}), "");
  EXPECT_NE(refused({.plan = joined}, 8).find("fusion.norm_router: needs compute capability 9.0"),
            std::string::npos);
  EXPECT_NE(refused({.plan = joined, .width = 1 << 16}).find("fusion.experts: 2 rows of 131072 bytes"),
            std::string::npos);
  EXPECT_NE(refused({.plan = {}, .width = 60}).find("products of experts of 60 inputs"), std::string::npos);
}

TEST(SupportedOnGpu, GatedActivationsInsideTheProductsBeforeThem) {
  const auto why = [](Activation activation, std::int64_t width, DType weights, int major = 9) {
    Case c;
    Architecture a;
    a.layers = 1;
    a.hidden = 128;
    a.heads = 4;
    a.kv_heads = 2;
    a.head_dim = 64;
    a.intermediate = width;
    a.vocab = 112;
    a.activation = activation;
    c.models["model"] = a;
    c.plan.fusion = {.gate_up = true, .gated_epilogue = true};
    c.plan.precision.weights = weights;
    const auto structure = compile(a, c.plan);
    EXPECT_TRUE(structure) << to_string(structure.error());
    const Errors errors = not_executed(c, *structure, {.major = major, .processors = 132});
    return errors.empty() ? "" : to_string(errors);
  };
  EXPECT_EQ(why(Activation::silu, 264, DType::bf16), "");
  EXPECT_EQ(why(Activation::silu, 288, DType::int4), "");
  EXPECT_NE(why(Activation::silu, 264, DType::int4).find("multiples of 32"), std::string::npos);
  EXPECT_NE(why(Activation::gelu_tanh, 264, DType::bf16).find("gated_epilogue: joins SiLU only"),
            std::string::npos);
  EXPECT_NE(why(Activation::silu, 264, DType::bf16, 8).find("need compute capability 9.0"),
            std::string::npos);
}

}  // namespace
}  // namespace inferometer::cuda
