#include "model/settings.hpp"
#include "tests/scenarios/files_for_tests.hpp"

namespace inferometer {
namespace {

using Load = InFolder;

TEST_F(Load, ReadsEverySection) {
  write("weights.safetensors", "");
  const Scenario s = loaded(
      "name: all\n"
      "description: everything at once\n"
      "model: tiny\n"
      "device: unit-gpu\n"
      "devices: 2\n"
      "execute: {backend: \"cuda:1\", repeats: 7, weights: weights.safetensors}\n"
      "workload: {batch: 3, prompt_tokens: 16, output_tokens: 4, copy_beside: {bytes: 1 MiB}}\n"
      "plan:\n"
      "  precision: {weights: bf16 lm_head=f32, kv: fp8}\n"
      "  fusion.qkv: true\n"
      "  launch: {graphs: true, batch_buckets: [1, 2, 4]}\n"
      "engine: {per_step: 10 us, per_sequence: 1 us, source: guessed}\n"
      "seed: 42\n");
  EXPECT_EQ(s.name, "all");
  EXPECT_EQ(s.description, "everything at once");
  EXPECT_EQ(s.model, "tiny");
  EXPECT_EQ(s.backend, "cuda:1");
  EXPECT_EQ(s.repeats, 7);
  EXPECT_EQ(s.weights, (folder_ / "weights.safetensors").string());
  const Case& c = s.baseline;
  EXPECT_EQ(c.model().layers, 2);
  EXPECT_EQ(c.cluster.device.name, "unit-gpu");
  EXPECT_EQ(c.cluster.count, 2);
  EXPECT_EQ(c.workload.batch, 3);
  EXPECT_EQ(c.workload.copy_beside.bytes, Bytes{1 << 20});
  EXPECT_TRUE(c.workload.copy_beside.within_device());
  EXPECT_EQ(c.plan.precision.weights.at(-1, Role::lm_head), DType::f32);
  EXPECT_EQ(c.plan.precision.kv.value, DType::fp8);
  EXPECT_TRUE(c.plan.fusion.qkv);
  EXPECT_EQ(c.plan.launch.batch_buckets, (std::vector<std::int64_t>{1, 2, 4}));
  EXPECT_DOUBLE_EQ(c.engine.per_step.count(), 10e-6);
  EXPECT_EQ(c.engine.source, "guessed");
  EXPECT_EQ(c.draws.seed, 42U);
  EXPECT_TRUE(s.variants.empty());
}

TEST_F(Load, WhatIsLeftOutHasItsDefault) {
  const Scenario s = loaded(right_scenario);
  EXPECT_EQ(s.backend, "");
  EXPECT_EQ(s.baseline.cluster.count, 1);
  EXPECT_EQ(s.baseline.engine.source, "none assumed");
  EXPECT_EQ(s.calibration.level, Level::datasheet);
  Case defaults;
  defaults.models["model"] = s.baseline.model();
  defaults.workload = s.baseline.workload;
  EXPECT_EQ(settings_hash(s.baseline), settings_hash(defaults));
}

TEST_F(Load, VariantsChangeTheBaselineEachOnItsOwn) {
  const Scenario s = loaded(right_scenario +
                            "variants:\n"
                            "  - name: heads\n"
                            "    optimizations: [mha, fused-qkv]\n"
                            "  - name: batch\n"
                            "    set: {workload.batch: 8, workload.copy_beside: {bytes: 3 kB}}\n");
  ASSERT_EQ(s.variants.size(), 2U);
  EXPECT_EQ(s.variants[0].optimizations, (std::vector<std::string>{"mha", "fused-qkv"}));
  EXPECT_EQ(s.variants[0].edited.model().kv_heads, 4);
  EXPECT_TRUE(s.variants[0].edited.plan.fusion.qkv);
  EXPECT_EQ(s.variants[0].edits.size(), 2U);
  EXPECT_EQ(s.variants[1].edited.workload.batch, 8);
  EXPECT_EQ(s.variants[1].edited.workload.copy_beside.bytes, Bytes{3000});
  EXPECT_EQ(s.variants[1].edited.model().kv_heads, 2);
  EXPECT_EQ(s.variants[1].edits.at(0).where.line, 9);
}

TEST_F(Load, OverridesApplyInOrderAndOwnSettingsLast) {
  const Scenario s = loaded(right_scenario +
                            "variants:\n"
                            "  - name: v\n"
                            "    optimizations: [mha, mqa]\n"
                            "    set: {architecture.kv_heads: 2}\n"
                            "    override: true\n");
  EXPECT_EQ(s.variants.at(0).edited.model().kv_heads, 2);
}

TEST_F(Load, PathsStartFromTheScenariosFolder) {
  const auto tiny = read_file(library_.root / "models" / "tiny.json");
  const auto device = read_file(library_.root / "devices" / "unit-cpu.yaml");
  write("net/config.json", *tiny);
  write("mine.yaml", *device);
  const Scenario s =
      loaded("name: x\nmodel: ./net\ndevice: mine.yaml\nworkload: {prompt_tokens: 1, output_tokens: 1}\n");
  EXPECT_EQ(s.baseline.model().name, "net");
  EXPECT_EQ(s.baseline.cluster.device.name, "unit-cpu");
  EXPECT_EQ(s.calibration.level, Level::calibrated);
  EXPECT_EQ(device_of(folder_ / "s.yaml"), "mine.yaml");
  EXPECT_EQ(device_of(folder_ / "none.yaml"), "");
}

TEST_F(Load, HostIsWhatCalibrationWrote) {
  const auto missing = load_device("host", library_);
  ASSERT_FALSE(missing);
  EXPECT_EQ(told(missing.error()),
            "error: this host is not measured yet; run `inferometer calibrate --backend cpu`\n");
  write("calibration/host.yaml", *read_file(library_.root / "devices" / "unit-cpu.yaml"));
  EXPECT_TRUE(load_device("host", library_));
  EXPECT_EQ(calibration_for("host", library_)->get("launch", 0), 1.5);
}

TEST_F(Load, PresetsAreListedByName) {
  EXPECT_EQ(list_models(library_), (std::vector<std::string>{"tiny"}));
  EXPECT_EQ(list_devices(library_), (std::vector<std::string>{"host", "unit-cpu", "unit-gpu"}));
}

}  // namespace
}  // namespace inferometer
