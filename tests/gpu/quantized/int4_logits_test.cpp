#include "executor/cpu/cpu_backend.hpp"
#include "executor/cuda/cuda_backend.hpp"
#include "tests/executor/dequantized_checkpoint.hpp"
#include "tests/executor/int4_matrix.hpp"
#include "tests/executor/logits_fixture.hpp"
#include "tests/gpu/device.hpp"

namespace inferometer {
namespace {

/// Into which product the gated activation is.
enum class Joined : std::uint8_t { nothing, product, epilogue };

/// int4 weights, all else in bf16, as the optimization w4a16 makes of a case.
Plan w4a16(Joined joined, bool recorded) {
  const bool fused = joined != Joined::nothing;
  Plan plan = in(DType::bf16);
  plan.precision.weights = DType::int4;
  plan.precision.weights.rules = {{.role = "lm_head", .value = DType::bf16}};
  plan.fusion = {.qkv = fused,
                 .gate_up = fused,
                 .residual_norm = fused,
                 .rope_kv = fused,
                 .norm_product = fused,
                 .gated_product = joined == Joined::product,
                 .gated_epilogue = joined == Joined::epilogue};
  plan.launch = {.graphs = recorded, .batch_buckets = {4}, .overlap = recorded};
  return plan;
}

class GpuInt4Logits : public cuda::OnGpu, public testing::WithParamInterface<std::string> {};

/// Merged matrices are rounded row by row and group by group, as their parts are.
TEST_P(GpuInt4Logits, EqualThoseOfDequantizedWeights) {
  const fs::path folder = fs::path{INFEROMETER_FIXTURES} / "logits" / GetParam(),
                 config = folder / "config.json";
  const auto model = read_hf_config(text_of(config), config.string(), GetParam());
  ASSERT_TRUE(model);
  const auto structure = compile(*model, w4a16(Joined::nothing, false));
  ASSERT_TRUE(structure) << to_string(structure.error());
  const TemporaryFolder to;
  write_dequantized(
      folder, *structure,
      [](const WeightSpec&, std::int64_t rows, std::int64_t columns, float* values) {
        const Int4Matrix m = to_int4({values, values + rows * columns}, rows, columns);
        std::copy(m.values.begin(), m.values.end(), values);
      },
      to);
  const Expected e = read_expected(folder, "");
  std::vector<std::vector<float>> right;
  CpuBackend cpu({.threads = 2, .weights = to.path()});
  ASSERT_TRUE(run_fixture(cpu, to.path(), in(DType::f32), e, 1,
                          [&](std::size_t) { right.push_back(cpu.output().logits); }));
  for (const Joined joined : {Joined::nothing, Joined::product, Joined::epilogue}) {
    for (const bool recorded : {false, true}) {
      auto backend = CudaBackend::open({.device = 0, .weights = folder});
      ASSERT_TRUE(backend) << to_string(backend.error());
      RelativeError error;
      EXPECT_TRUE(run_fixture(**backend, folder, w4a16(joined, recorded), e, 1,
                              [&](std::size_t row) { error.add((*backend)->output().logits, right[row]); }));
      std::printf("%s, joined %d, recorded %d: relative L2 error %.2e\n", GetParam().c_str(),
                  static_cast<int>(joined), recorded, error.value());
      EXPECT_LE(error.value(), 8e-2);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, GpuInt4Logits,
                         testing::Values("llama", "llama_tied", "qwen2", "qwen3", "mistral"));

}  // namespace
}  // namespace inferometer
