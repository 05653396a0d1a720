#include <algorithm>
#include <cctype>
#include <tuple>

#include "executor/cuda/cuda_backend.hpp"
#include "executor/cuda/cudnn/prompt_attention.hpp"
#include "tests/executor/logits_fixture.hpp"
#include "tests/gpu/device.hpp"

namespace inferometer {
namespace {

Plan bf16_plan(bool fused, bool graphs, bool overlap) {
  Plan plan = in(DType::bf16);
  plan.fusion = {.qkv = fused,
                 .gate_up = fused,
                 .residual_norm = fused,
                 .rope_kv = fused,
                 .norm_product = fused,
                 .gated_product = fused,
                 .norm_router = fused,
                 .experts = fused};
  plan.launch = {.graphs = graphs, .batch_buckets = {4}, .overlap = overlap};
  return plan;
}

/// Eagerly launched and recorded, fused and not, padded, overlapped, in blocks of 4, with naive attention,
/// with a launch per expert.
std::vector<Way> ways() {
  std::vector<Way> all{{"eager", "bf16_", 2e-2, bf16_plan(false, false, false)},
                       {"fused", "bf16_", 2e-2, bf16_plan(true, false, false)},
                       {"overlapped", "bf16_", 2e-2, bf16_plan(true, false, true)},
                       {"recorded, padded", "bf16_", 2e-2, bf16_plan(true, true, false)},
                       {"recorded, overlapped", "bf16_", 2e-2, bf16_plan(true, true, true)}};
  all.push_back({"naive, blocks of 4", "bf16_", 2e-2, bf16_plan(false, false, false)});
  all.back().plan.kernels.attention = AttentionKernel::naive;
  all.back().plan.kv.block_tokens = 4;
  all.push_back({"experts one by one", "bf16_", 2e-2, bf16_plan(true, false, true)});
  all.back().plan.kernels.experts = ExpertKernel::loop;
  return all;
}

/// A family's fixture and one of ways().
class GpuLogits : public cuda::OnGpu, public testing::WithParamInterface<std::tuple<std::string, Way>> {
 protected:
  double error(std::size_t pieces) const {
    const auto& [family, way] = GetParam();
    const fs::path folder = fs::path{INFEROMETER_FIXTURES} / "logits" / family;
    auto backend = CudaBackend::open({.device = 0, .weights = folder});
    EXPECT_TRUE(backend) << to_string(backend.error());
    const double found = backend ? logits_error(**backend, folder, way, pieces) : 1;
    std::printf("%s, %s: relative L2 error %.2e\n", family.c_str(), way.name.c_str(), found);
    return found;
  }
  double tolerance() const { return std::get<Way>(GetParam()).tolerance; }
};

TEST_P(GpuLogits, EqualThoseOfHuggingFace) { EXPECT_LE(error(1), tolerance()); }

class GpuLogitsOfPieces : public GpuLogits {};
TEST_P(GpuLogitsOfPieces, DoNotDependOnHowThePromptIsCut) { EXPECT_LE(error(3), tolerance()); }

std::string name_of(const testing::TestParamInfo<GpuLogits::ParamType>& info) {
  std::string name = std::get<std::string>(info.param) + "_" + std::get<Way>(info.param).name;
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}
const auto families =
    testing::Values("llama", "llama_tied", "qwen2", "qwen3", "mistral", "mixtral", "qwen3_moe", "gpt_oss");
INSTANTIATE_TEST_SUITE_P(Families, GpuLogits, testing::Combine(families, testing::ValuesIn(ways())), name_of);
INSTANTIATE_TEST_SUITE_P(Families, GpuLogitsOfPieces,
                         testing::Combine(families, testing::Values(ways().front())), name_of);

/// A network with heads that the tiled kernels are compiled for, against itself: every way of running a step
/// gives the same tokens' logits, within what rounding to bf16 leaves.
class GpuWays : public cuda::OnGpu {
 protected:
  std::vector<float> logits_of(Plan plan, std::int64_t batch, std::int64_t prompt, std::int64_t pieces,
                               std::optional<MixtureOfExperts> experts = {}) {
    Case c;
    Architecture a;
    a.layers = 3;
    a.hidden = 512;
    a.heads = 8;
    a.kv_heads = 2;
    a.head_dim = 128;
    a.intermediate = 1024;
    a.vocab = 1000;
    a.qk_norm = true;
    a.moe = std::move(experts);
    c.models["model"] = a;
    c.plan = plan;
    c.workload = {.batch = batch, .prompt_tokens = prompt, .output_tokens = 4};
    const auto structure = compile(a, plan);
    EXPECT_TRUE(structure) << to_string(structure.error());
    auto backend = CudaBackend::open({});
    EXPECT_TRUE(backend);
    const auto prepared = (*backend)->prepare(c, *structure);
    EXPECT_TRUE(prepared) << to_string(prepared.error());
    (*backend)->keep_logits(true);
    const std::int64_t block = plan.kv.block_tokens, blocks = (prompt + 4 + block - 1) / block;
    std::vector<float> all;
    std::int64_t cached = 0;
    const auto run = [&](std::int64_t fresh) {
      Step step;
      for (std::int64_t s = 0; s < batch; ++s) {
        Slice slice{.sequence = s, .fresh = fresh, .cached = cached};
        for (std::int64_t b = 0; b < blocks; ++b)
          slice.block_table.push_back(static_cast<std::int32_t>(s * blocks + b));
        for (std::int64_t t = 0; t < fresh; ++t)
          slice.tokens.push_back(static_cast<std::int32_t>((s * 31 + (cached + t) * 7) % a.vocab));
        step.slices.push_back(std::move(slice));
      }
      const auto time = (*backend)->timer()->time(step);
      EXPECT_TRUE(time) << to_string(time.error());
      cached += fresh;
    };
    const auto keep = [&] {
      const auto& logits = (*backend)->output().logits;
      all.insert(all.end(), logits.begin(), logits.end());
    };
    for (std::int64_t p = 0; p < pieces; ++p) run(prompt * (p + 1) / pieces - cached);
    keep();
    for (int d = 0; d < 3; ++d) {
      run(1);
      keep();
    }
    return all;
  }
};

/// With what only heads that the tiled kernels are compiled for can be joined to.
Plan all_joined(bool graphs, bool overlap) {
  Plan plan = bf16_plan(true, graphs, overlap);
  plan.fusion.rope_attention = true;
  plan.fusion.norm_epilogue = true;
  plan.fusion.gated_product = false;
  plan.fusion.gated_epilogue = true;
  return plan;
}

Plan by_cudnn(Plan plan) {
  plan.kernels.attention = AttentionKernel::cudnn;
  return plan;
}

/// Prompts by cuDNN, their second halves behind history and decode steps by our own kernels.
TEST_F(GpuWays, GiveTheSameLogitsWhereCudnnAttendsPrompts) {
  if (!cuda::cudnn_missing().empty()) GTEST_SKIP() << cuda::cudnn_missing();
  for (const std::int64_t batch : {1, 3, 9}) {
    const std::vector<float> expected = logits_of(bf16_plan(false, false, false), batch, 45, 1);
    for (const Plan& plan :
         {bf16_plan(false, false, false), bf16_plan(true, false, true), all_joined(true, true)}) {
      for (const std::int64_t pieces : {1, 2}) {
        RelativeError error;
        error.add(logits_of(by_cudnn(plan), batch, 45, pieces), expected);
        EXPECT_LE(error.value(), 1.5e-2) << batch << " sequences, prompt in " << pieces;
      }
    }
  }
}

TEST_F(GpuWays, GiveTheSameLogits) {
  Plan naive = bf16_plan(false, false, false);
  naive.kernels.attention = AttentionKernel::naive;
  for (const std::int64_t batch : {1, 3, 9, 40, 70}) {
    const std::vector<float> expected = logits_of(naive, batch, 45, 1);
    for (const Plan& plan :
         {bf16_plan(false, false, false), bf16_plan(true, false, true), bf16_plan(true, true, false),
          bf16_plan(true, true, true), all_joined(false, false), all_joined(true, true)}) {
      for (const std::int64_t pieces : {1, 2}) {
        RelativeError error;
        error.add(logits_of(plan, batch, 45, pieces), expected);
        EXPECT_LE(error.value(), 1.5e-2) << batch << " sequences, prompt in " << pieces;
      }
    }
  }
}

/// Prompts of 40 and 70 sequences whose last layer is of so many rows, by the kernels of few tokens and of
/// many; residuals in the products of all.
TEST_F(GpuWays, GiveTheSameLogitsWithEarlyRowsAndResidualsInProducts) {
  for (const std::int64_t batch : {1, 3, 40, 70}) {
    const std::vector<float> expected = logits_of(bf16_plan(false, false, false), batch, 45, 1);
    std::vector<Plan> plans;
    for (const Plan& plan :
         {bf16_plan(false, false, false), bf16_plan(true, true, true), all_joined(true, true)}) {
      for (const auto& [early, residual] : {std::pair{true, false}, {false, true}, {true, true}}) {
        plans.push_back(plan);
        plans.back().fusion.early_gather = early;
        plans.back().fusion.residual_product = residual;
      }
    }
    for (const Plan& plan : plans) {
      for (const std::int64_t pieces : {1, 2}) {
        RelativeError error;
        error.add(logits_of(plan, batch, 45, pieces), expected);
        EXPECT_LE(error.value(), 1.5e-2) << batch << " sequences, prompt in " << pieces;
      }
    }
  }
}

/// So many keys that several blocks share a key head, in a cluster and through memory.
TEST_F(GpuWays, GiveTheSameLogitsBehindLongPrompts) {
  for (const std::int64_t prompt : {600, 4200}) {
    const std::vector<float> expected = logits_of(bf16_plan(false, false, false), 1, prompt, 1);
    for (const Plan& plan : {all_joined(false, false), all_joined(true, false), all_joined(true, true)}) {
      RelativeError error;
      error.add(logits_of(plan, 1, prompt, 1), expected);
      EXPECT_LE(error.value(), 1.5e-2) << prompt << " tokens";
    }
  }
}

/// The same kernels however they are launched: not a bit may differ, or experts would be chosen differently.
TEST_F(GpuWays, GiveTheSameLogitsOfExperts) {
  if (!gpu.hopper()) GTEST_SKIP() << "needs compute capability 9.0";
  const MixtureOfExperts experts{.experts = 16,
                                 .top_k = 3,
                                 .intermediate = 272,
                                 .shared_intermediate = 128,
                                 .normalize_top_k = true,
                                 .sparse_layer = {true, false, true}};
  for (const auto& [fused, fp8, batch] :
       {std::tuple{false, false, 4}, {true, false, 4}, {true, false, 1}, {true, true, 4}, {true, true, 1}}) {
    const auto logits = [&, fused = fused, fp8 = fp8, batch = batch](bool graphs, bool overlap) {
      Plan plan = bf16_plan(fused, graphs, overlap);
      plan.launch.batch_buckets = {batch};
      if (fp8) {
        plan.precision.weights = DType::fp8;
        plan.precision.weights.rules = {{.role = "lm_head", .value = DType::bf16}};
        plan.precision.inputs = InputFormat::fp8;
        plan.precision.inputs.rules = {{.role = "lm_head", .value = InputFormat::as_is}};
        plan.fusion.quantize = true;
      }
      return logits_of(plan, batch, 45, 1, experts);
    };
    const std::vector<float> expected = logits(false, false);
    for (const bool graphs : {false, true}) {
      for (const bool overlap : {false, true}) {
        RelativeError error;
        error.add(logits(graphs, overlap), expected);
        EXPECT_EQ(error.value(), 0) << (fused ? "fused" : "apart") << (fp8 ? ", fp8" : ", bf16")
                                    << (graphs ? ", recorded" : ", eager") << (overlap ? ", overlapped" : "")
                                    << ", batch of " << batch;
      }
    }
  }
}

/// Whatever the kernels of its products are, which differ by how many tokens there are.
TEST_F(GpuWays, GiveTheSameLogitsOfInt4Weights) {
  const auto int4 = [](Plan plan) {
    plan.precision.weights = DType::int4;
    plan.precision.weights.rules = {{.role = "lm_head", .value = DType::bf16}};
    return plan;
  };
  for (const std::int64_t batch : {1, 3, 9, 20, 40, 70}) {
    const std::vector<float> expected = logits_of(int4(bf16_plan(false, false, false)), batch, 45, 1);
    Plan early = all_joined(true, true);
    early.fusion.early_gather = true;
    for (const Plan& plan :
         {bf16_plan(true, false, true), bf16_plan(true, true, true), all_joined(true, true), early}) {
      for (const std::int64_t pieces : {1, 2}) {
        RelativeError error;
        error.add(logits_of(int4(plan), batch, 45, pieces), expected);
        EXPECT_LE(error.value(), 2e-2) << batch << " sequences, prompt in " << pieces;
      }
    }
  }
}

/// e4m3 has 3 bits of mantissa: each key and value is off by up to 2^-4 of itself, 2^-5 or so on average.
TEST_F(GpuWays, ACacheInFp8IsCloseToOneInBf16) {
  Plan naive = bf16_plan(false, false, false);
  naive.kernels.attention = AttentionKernel::naive;
  for (const std::int64_t batch : {1, 9}) {
    const std::vector<float> expected = logits_of(naive, batch, 45, 1);
    std::vector<Plan> plans{naive, bf16_plan(false, false, false), bf16_plan(true, true, true),
                            all_joined(true, true)};
    std::vector<float> first;
    for (Plan& plan : plans) {
      plan.precision.kv = Selected<DType>{DType::fp8};
      const std::vector<float> logits = logits_of(plan, batch, 45, 2);
      RelativeError error, among;
      error.add(logits, expected);
      EXPECT_LE(error.value(), 8e-2) << batch << " sequences";
      if (first.empty()) first = logits;
      among.add(logits, first);
      EXPECT_LE(among.value(), 4e-2) << batch << " sequences, beside the first way";
    }
  }
}

}  // namespace
}  // namespace inferometer
