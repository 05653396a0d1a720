#include <gtest/gtest.h>

#include "executor/cpu/cpu_backend.hpp"
#include "tests/executor/logits_fixture.hpp"

namespace inferometer {
namespace {

/// f32 and bf16, and in f32 every other setting that must not change what comes out.
std::vector<Way> ways(bool dense_last_layer) {
  std::vector<Way> all{{"f32", "", 1e-4, in(DType::f32)}, {"bf16", "bf16_", 2e-2, in(DType::bf16)}};
  Way fused{"f32 fused", "", 1e-4, in(DType::f32)};
  fused.plan.fusion = {.qkv = true, .gate_up = true, .residual_norm = true};
  all.push_back(fused);
  if (dense_last_layer) {
    fused.name += ", rows gathered early";
    fused.plan.fusion.early_gather = true;
    all.push_back(fused);
  }
  Way naive{"f32 naive, blocks of 4", "", 1e-4, in(DType::f32)};
  naive.plan.kernels.attention = AttentionKernel::naive;
  naive.plan.kernels.experts = ExpertKernel::loop;
  naive.plan.kv.block_tokens = 4;
  all.push_back(naive);
  return all;
}

class Logits : public testing::TestWithParam<std::string> {
 protected:
  fs::path folder() const { return fs::path{INFEROMETER_FIXTURES} / "logits" / GetParam(); }

  bool dense_last_layer() const {
    const fs::path config = folder() / "config.json";
    const auto model = read_hf_config(text_of(config), config.string(), GetParam());
    return model && !model->is_sparse(model->layers - 1);
  }
  double error_of(const Way& way, std::size_t pieces = 1) {
    CpuBackend backend({.threads = 2, .weights = folder()});
    return logits_error(backend, folder(), way, pieces);
  }
};

TEST_P(Logits, EqualThoseOfHuggingFace) {
  for (const Way& way : ways(dense_last_layer())) {
    const double error = error_of(way);
    std::printf("%s, %s: relative L2 error %.2e\n", GetParam().c_str(), way.name.c_str(), error);
    EXPECT_LE(error, way.tolerance) << way.name;
  }
}

TEST_P(Logits, DoNotDependOnHowThePromptIsCut) { EXPECT_LE(error_of(ways(false).front(), 3), 1e-4); }

/// One sequence decodes while another, which shares the blocks of its prompt's beginning, reads the rest of
/// the same prompt: both come out as they would alone.
TEST_P(Logits, AreTheSameInAMixedStepOverSharedBlocks) {
  constexpr std::int64_t block = 4;
  const fs::path config = folder() / "config.json";
  const auto model = read_hf_config(text_of(config), config.string(), GetParam());
  ASSERT_TRUE(model);
  const Expected e = read_expected(folder(), "");
  const auto prompt = static_cast<std::int64_t>(e.prompt.size()), shared = (prompt - 1) / block * block;
  Case c;
  c.models["model"] = *model;
  c.plan = in(DType::f32);
  c.plan.kv.block_tokens = block;
  c.workload = {.batch = 2, .prompt_tokens = prompt, .output_tokens = 4};
  const auto structure = compile(*model, c.plan);
  ASSERT_TRUE(structure);
  CpuBackend backend({.threads = 2, .weights = folder()});
  ASSERT_TRUE(backend.prepare(c, *structure));
  backend.keep_logits(true);
  std::vector<std::int32_t> first, second;
  for (std::int32_t b = 0; b * block < prompt + 4; ++b) {
    first.push_back(b);
    second.push_back(b < shared / block ? b : b + 6);
  }
  const auto run = [&](Step step) {
    const auto done = backend.run(bind(*structure, features(step)), step);
    EXPECT_TRUE(done) << to_string(done.error());
  };
  run({.slices = {{.sequence = 0, .tokens = e.prompt, .fresh = prompt, .cached = 0, .block_table = first}},
       .operations = {}});
  const std::vector<std::int32_t> rest(e.prompt.begin() + shared, e.prompt.end());
  run({.slices =
           {{.sequence = 0, .tokens = {e.tokens[0]}, .fresh = 1, .cached = prompt, .block_table = first},
            {.sequence = 1,
             .tokens = rest,
             .fresh = prompt - shared,
             .cached = shared,
             .block_table = second}},
       .operations = {}});
  const std::vector<float>& logits = backend.output().logits;
  const auto vocab = static_cast<std::ptrdiff_t>(model->vocab);
  RelativeError decoded, read;
  decoded.add({logits.begin(), logits.begin() + vocab}, e.logits[1]);
  read.add({logits.begin() + vocab, logits.end()}, e.logits[0]);
  EXPECT_LE(decoded.value(), 1e-4);
  EXPECT_LE(read.value(), 1e-4);
}

TEST(CpuBackendSteps, WhatDoesNotFitTheCacheIsRefused) {
  const fs::path folder = fs::path{INFEROMETER_FIXTURES} / "logits" / "llama",
                 config = folder / "config.json";
  const auto model = read_hf_config(text_of(config), config.string(), "llama");
  ASSERT_TRUE(model);
  Case c;
  c.models["model"] = *model;
  c.plan = in(DType::f32);
  c.workload = {.batch = 1, .prompt_tokens = 8, .output_tokens = 8};
  const auto structure = compile(*model, c.plan);
  ASSERT_TRUE(structure);
  CpuBackend backend({.threads = 2, .weights = folder});
  ASSERT_TRUE(backend.prepare(c, *structure));
  const auto refused = [&](Slice slice) {
    const Step step{.slices = {std::move(slice)}, .operations = {}};
    return !backend.timer()->time(step);
  };
  EXPECT_FALSE(refused({.sequence = 0, .tokens = {1}, .fresh = 1, .cached = 0, .block_table = {0}}));
  EXPECT_TRUE(refused({.sequence = 0, .tokens = {1}, .fresh = 1, .cached = -1, .block_table = {0}}));
  EXPECT_TRUE(refused({.sequence = 0, .tokens = {1}, .fresh = 1, .cached = 16, .block_table = {0}}));
  EXPECT_TRUE(refused({.sequence = 0, .tokens = {1}, .fresh = 1, .cached = 0, .block_table = {1}}));
  EXPECT_TRUE(refused({.sequence = 0, .tokens = {1}, .fresh = 1, .cached = 0, .block_table = {-1}}));
  EXPECT_TRUE(refused({.sequence = 0, .tokens = {99999}, .fresh = 1, .cached = 0, .block_table = {0}}));
  EXPECT_TRUE(refused({.sequence = 0, .tokens = {1, 2}, .fresh = 1, .cached = 0, .block_table = {0}}));
  EXPECT_TRUE(
      refused({.sequence = 0, .tokens = {1}, .fresh = 1, .cached = 0, .block_table = {0}, .logit_rows = 2}));
}

TEST(CpuBackendSteps, HaveNoCopyBeside) {
  Case c;
  const fs::path config = fs::path{INFEROMETER_FIXTURES} / "logits/llama/config.json";
  c.models["model"] = *read_hf_config(text_of(config), config.string(), "llama");
  c.workload.copy_beside.bytes = Bytes{1};
  const auto prepared = CpuBackend({.threads = 1, .weights = {}}).prepare(c, *compile(c.model(), c.plan));
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().front().message,
            "backend cpu: workload.copy_beside: there is no second stream for a copy");
}

INSTANTIATE_TEST_SUITE_P(Families, Logits,
                         testing::Values("llama", "llama_tied", "qwen2", "qwen3", "mistral", "mixtral",
                                         "qwen3_moe", "deepseek_v2", "deepseek_v3", "gpt_oss"));

}  // namespace
}  // namespace inferometer
