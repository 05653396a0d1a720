#include "tests/executor/dequantized_checkpoint.hpp"

#include "executor/cpu/cpu_backend.hpp"
#include "tests/executor/logits_fixture.hpp"

namespace inferometer {
namespace {

/// With nothing lost, what is written back runs as the checkpoint in bf16 weights does: every part of every
/// merged matrix is back in its place.
TEST(DequantizedCheckpoint, OfFormatsThatLoseNothingGivesTheSameLogits) {
  for (const char* family : {"llama", "qwen2", "qwen3", "qwen3_moe", "gpt_oss"}) {
    const fs::path folder = fs::path{INFEROMETER_FIXTURES} / "logits" / family,
                   config = folder / "config.json";
    const auto model = read_hf_config(text_of(config), config.string(), family);
    ASSERT_TRUE(model);
    Plan stored;
    stored.precision.weights = DType::fp8;
    stored.fusion = {.qkv = true, .gate_up = true};
    const auto structure = compile(*model, stored);
    ASSERT_TRUE(structure) << to_string(structure.error());
    std::int64_t matrices = 0;
    const TemporaryFolder to;
    write_dequantized(
        folder, *structure, [&](const WeightSpec&, std::int64_t, std::int64_t, const float*) { ++matrices; },
        to);
    EXPECT_GT(matrices, 0);
    CpuBackend backend({.threads = 2, .weights = to.path()});
    const Expected e = read_expected(folder, "");
    RelativeError error;
    ASSERT_TRUE(run_fixture(backend, to.path(), in(DType::f32), e, 1,
                            [&](std::size_t row) { error.add(backend.output().logits, e.logits[row]); }));
    EXPECT_LE(error.value(), 1e-2) << family << ": weights were rounded to bf16";
  }
}

TEST(DequantizedCheckpoint, HoldsWhatTheFormatKeeps) {
  const fs::path folder = fs::path{INFEROMETER_FIXTURES} / "logits" / "llama",
                 config = folder / "config.json";
  const auto model = read_hf_config(text_of(config), config.string(), "llama");
  ASSERT_TRUE(model);
  Plan stored;
  stored.precision.weights = DType::fp8;
  stored.precision.weights.rules = {{.role = "lm_head", .value = DType::bf16}};
  const auto structure = compile(*model, stored);
  ASSERT_TRUE(structure);
  const TemporaryFolder to;
  write_dequantized(
      folder, *structure,
      [](const WeightSpec&, std::int64_t rows, std::int64_t columns, float* values) {
        std::fill(values, values + rows * columns, 3.0F);
      },
      to);
  const auto before = SafetensorsFile::open(folder / "model.safetensors");
  const auto after = SafetensorsFile::open(to.path() / "model.safetensors");
  ASSERT_TRUE(before && after);
  EXPECT_EQ(after->tensors.at("model.layers.1.mlp.down_proj.weight").at(77), 3.0F);
  for (const char* kept : {"lm_head.weight", "model.embed_tokens.weight", "model.norm.weight"})
    EXPECT_EQ(after->tensors.at(kept).at(5), before->tensors.at(kept).at(5)) << kept;
}

}  // namespace
}  // namespace inferometer
