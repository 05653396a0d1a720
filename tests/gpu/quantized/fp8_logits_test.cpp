#include "executor/cpu/cpu_backend.hpp"
#include "executor/cuda/cuda_backend.hpp"
#include "tests/executor/dequantized_checkpoint.hpp"
#include "tests/executor/logits_fixture.hpp"
#include "tests/gpu/fp8.hpp"

namespace inferometer {
namespace {

/// e4m3 weights and inputs, the head in bf16.
Plan fp8_plan(Plan::Fusion fusion, bool graphs, bool overlap) {
  Plan plan = in(DType::bf16);
  plan.precision.weights = DType::fp8;
  plan.precision.weights.rules = {{.role = "lm_head", .value = DType::bf16}};
  plan.precision.inputs = InputFormat::fp8;
  plan.precision.inputs.rules = {{.role = "lm_head", .value = InputFormat::as_is}};
  plan.fusion = fusion;
  plan.launch = {.graphs = graphs, .batch_buckets = {1, 4}, .overlap = overlap};
  return plan;
}

std::vector<std::pair<std::string, Plan>> ways() {
  const Plan::Fusion merged{.qkv = true, .gate_up = true, .residual_norm = true, .rope_kv = true};
  Plan::Fusion quantized = merged, joined = merged, apart;
  quantized.quantize = true;
  joined.quantize = joined.norm_product = true;
  apart.quantize = true;
  Plan::Fusion all = joined, epilogue = joined;
  all.gated_product = true;
  epilogue.gated_epilogue = true;
  Plan::Fusion residual = epilogue;
  residual.residual_product = true;
  return {{"eager", fp8_plan({}, false, false)},
          {"merged", fp8_plan(merged, false, false)},
          {"quantised inside, not merged", fp8_plan(apart, false, false)},
          {"quantised inside", fp8_plan(quantized, false, false)},
          {"norms inside products", fp8_plan(joined, false, true)},
          {"recorded", fp8_plan(all, true, false)},
          {"recorded, overlapped", fp8_plan(all, true, true)},
          {"activations inside products", fp8_plan(epilogue, true, true)},
          {"residuals inside products", fp8_plan(residual, true, true)}};
}

void keep_fp8(const WeightSpec&, std::int64_t rows, std::int64_t columns, float* values) {
  float largest = 0;
  for (std::int64_t i = 0; i < rows * columns; ++i) largest = std::max(largest, std::abs(values[i]));
  const float scale = largest / 448;
  for (std::int64_t i = 0; i < rows * columns; ++i) values[i] = e4m3(values[i] / scale) * scale;
}

class GpuFp8Logits : public cuda::OnGpu, public testing::WithParamInterface<std::string> {
 protected:
  fs::path folder() const { return fs::path{INFEROMETER_FIXTURES} / "logits" / GetParam(); }
  /// The fixture's tokens, with the logits that the CPU finds in f32 of the weights that `plan` stores.
  Expected expected(const Plan& plan) const {
    Expected e = read_expected(folder(), "");
    const fs::path config = folder() / "config.json";
    const auto model = read_hf_config(text_of(config), config.string(), GetParam());
    const auto structure = compile(*model, plan);
    EXPECT_TRUE(structure) << to_string(structure.error());
    const TemporaryFolder to;
    write_dequantized(folder(), *structure, keep_fp8, to);
    CpuBackend cpu({.threads = 2, .weights = to.path()});
    e.logits.clear();
    EXPECT_TRUE(run_fixture(cpu, to.path(), in(DType::f32), e, 1,
                            [&](std::size_t) { e.logits.push_back(cpu.output().logits); }));
    return e;
  }
};

/// Rounding the inputs of products to e4m3 moves the logits of networks this small by a tenth and more, in
/// whatever arithmetic: the fixture has what Hugging Face's classes compute with weights and inputs so
/// rounded. Two paths of roundings, both right, end as far from each other as from none, and merged matrices
/// have scales of their own: what runs here may be off by half as much again, not by more.
TEST_P(GpuFp8Logits, AreAsFarFromThoseOfTheDequantizedWeightsAsRoundedInputs) {
  if (!gpu.hopper()) GTEST_SKIP() << "needs compute capability 9.0";
  const Expected rounded = read_expected(folder(), "fp8_");
  for (const auto& [name, plan] : ways()) {
    const Expected e = expected(plan);
    RelativeError rounding;
    for (std::size_t row = 0; row < e.logits.size(); ++row) rounding.add(rounded.logits[row], e.logits[row]);
    auto backend = CudaBackend::open({.device = 0, .weights = folder()});
    ASSERT_TRUE(backend) << to_string(backend.error());
    RelativeError error;
    ASSERT_TRUE(run_fixture(**backend, folder(), plan, e, 1,
                            [&](std::size_t row) { error.add((*backend)->output().logits, e.logits[row]); }));
    std::printf("%s, %s: relative L2 error %.2e, of rounded inputs %.2e\n", GetParam().c_str(), name.c_str(),
                error.value(), rounding.value());
    EXPECT_LE(rounding.value(), 0.2) << name;
    EXPECT_LE(error.value(), 1.5 * rounding.value()) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Families, GpuFp8Logits,
                         testing::Values("llama", "llama_tied", "qwen2", "qwen3", "mistral"));

}  // namespace
}  // namespace inferometer
