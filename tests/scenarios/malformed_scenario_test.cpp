#include "tests/scenarios/files_for_tests.hpp"

namespace inferometer {
namespace {

/// A scenario with mistakes, and all that is told about it.
struct Malformed {
  std::string text, told;
};

using MalformedScenario = InFolder;

/// The right scenario with lines added (6 and on).
std::string with(const std::string& lines) { return right_scenario + lines; }
/// The right scenario with one variant (from line 6 on).
std::string variant(const std::string& lines) { return right_scenario + "variants:\n  - name: v\n" + lines; }

const std::vector<Malformed> table{
    // The top level.
    {"[a, b]\n", "s.yaml:1:1: error: a mapping of keys to values is needed\n"},
    {"name: x\n",
     "s.yaml:1:1: error: missing key \"model\"\ns.yaml:1:1: error: missing key \"device\"\n"
     "s.yaml:1:1: error: missing key \"workload\"\n"},
    {with("variant: []\n"), "s.yaml:5:1: error: unknown key \"variant\"; did you mean \"variants\"?\n"},
    {"name: \"\"\nmodel: tiny\ndevice: unit-gpu\nworkload: {prompt_tokens: 1, output_tokens: 1}\n",
     "s.yaml:1:7: error: name: is empty; a text is needed\n"},
    {"name: [a]\nmodel: {a: b}\ndevice:\nworkload: {prompt_tokens: 1, output_tokens: 1}\n",
     "s.yaml:1:7: error: name: is a list; a text is needed\n"
     "s.yaml:2:8: error: model: is a mapping; a text is needed\n"
     "s.yaml:3:1: error: device: is empty; a text is needed\n"},
    {with("devices: 0\n"), "s.yaml:5:10: error: devices: must be 1 to 1000000, is 0\n"},
    {with("devices: two\n"), "s.yaml:5:10: error: devices: \"two\" is not a whole number in plain digits\n"},
    {with("seed: -1\n"), "s.yaml:5:7: error: draws.seed: \"-1\" is not a whole number from 0 to 2^64 - 1\n"},
    // Models and devices.
    {"name: x\nmodel: tini\ndevice: unit-gpv\nworkload: {prompt_tokens: 1, output_tokens: 1}\n",
     "s.yaml:2:8: error: model: unknown model \"tini\"; did you mean \"tiny\"? (presets: tiny)\n"
     "s.yaml:3:9: error: device: unknown device \"unit-gpv\"; did you mean \"unit-gpu\"? (presets: host, "
     "unit-cpu, unit-gpu)\n"},
    {"name: x\nmodel: ./none\ndevice: none.yaml\nworkload: {prompt_tokens: 1, output_tokens: 1}\n",
     "s.yaml:2:8: error: model: no such file: ./none\n"
     "s.yaml:3:9: error: device: no such file: none.yaml\n"},
    {"name: x\nmodel: tiny\ndevice: host\nworkload: {prompt_tokens: 1, output_tokens: 1}\n",
     "s.yaml:3:9: error: device: this host is not measured yet; run `inferometer calibrate --backend cpu`\n"},
    // The workload.
    {"name: x\nmodel: tiny\ndevice: unit-gpu\nworkload: 5\n",
     "s.yaml:4:11: error: workload: a mapping of settings is needed\n"},
    {"name: x\nmodel: tiny\ndevice: unit-gpu\nworkload: {batch: 2, promt_tokens: 1}\n",
     "s.yaml:4:11: error: workload: missing key \"prompt_tokens\"\n"
     "s.yaml:4:11: error: workload: missing key \"output_tokens\"\n"
     "s.yaml:4:22: error: workload: unknown key \"promt_tokens\"; did you mean \"prompt_tokens\"?\n"},
    {"name: x\nmodel: tiny\ndevice: unit-gpu\nworkload: {batch: 0, prompt_tokens: 1, output_tokens: "
     "9999999}\n",
     "s.yaml:4:19: error: workload.batch: must be 1 to 100000, is 0\n"
     "s.yaml:4:55: error: workload.output_tokens: must be 1 to 1000000, is 9999999\n"},
    {"name: x\nmodel: tiny\ndevice: unit-gpu\nworkload: {batch: 1e3, prompt_tokens: 010, output_tokens: "
     "0x10}\n",
     "s.yaml:4:19: error: workload.batch: \"1e3\" is not a whole number in plain digits\n"
     "s.yaml:4:39: error: workload.prompt_tokens: \"010\" begins with 0, which could be octal; leave the 0 "
     "out\n"
     "s.yaml:4:59: error: workload.output_tokens: \"0x10\" is not a whole number in plain digits\n"},
    {"name: x\nmodel: tiny\ndevice: unit-gpu\n"
     "workload: {batch: 100000, prompt_tokens: 10000000, output_tokens: 1}\n",
     "s.yaml:1:1: error: one step is about 2.6e+21 FLOP; at most 4e+18 can be counted\n"},
    {"name: x\nmodel: tiny\ndevice: unit-gpu\n"
     "workload: {prompt_tokens: 1, output_tokens: 1, copy_beside: 2 GiB}\n",
     "s.yaml:4:61: error: workload.copy_beside: a mapping of settings is needed\n"},
    {"name: x\nmodel: tiny\ndevice: unit-gpu\n"
     "workload: {prompt_tokens: 1, output_tokens: 1, copy_beside: {byte: 2 GiB, direction: out}}\n",
     "s.yaml:4:62: error: workload.copy_beside: unknown key \"byte\"; did you mean \"bytes\"?\n"
     "s.yaml:4:86: error: workload.copy_beside.direction: \"out\" is not one of within_device, to_host, "
     "from_host\n"},
    {"name: x\nmodel: tiny\ndevice: unit-gpu\n"
     "workload: {prompt_tokens: 1, output_tokens: 1, copy_beside: {bytes: 2 GB/s}}\n",
     "s.yaml:4:69: error: workload.copy_beside.bytes: \"2 GB/s\" is a rate; a size is needed, such as \"80 "
     "GiB\"\n"},
    {"name: x\nmodel: tiny\ndevice: unit-gpu\n"
     "workload: {prompt_tokens: 1, output_tokens: 1, copy_beside: {bytes: 2 TiB}}\n",
     "s.yaml:4:69: error: workload.copy_beside.bytes: must be 0 B to 1 TiB, is 2199023255552 B\n"},
    {"name: x\nmodel: tiny\ndevice: unit-gpu\n"
     "workload: {prompt_tokens: 1, output_tokens: 1, copy_beside: {bytes: 2 B, direction: to_host}}\n",
     "s.yaml:4:85: error: workload.copy_beside.direction: unit-gpu has no host_link_bandwidth; within_device "
     "is left\n"},
    // The plan.
    {with("plan: []\n"), "s.yaml:5:7: error: plan: a mapping of settings is needed\n"},
    {with("plan:\n  precison: {weights: f32}\n"),
     "s.yaml:6:3: error: plan: unknown key \"precison\"; did you mean \"precision\"?\n"},
    {with("plan:\n  precision: {weights: f31, kv: bf16, activation: f32}\n"),
     "s.yaml:6:24: error: precision.weights: \"f31\" is not a dtype; expected one of f32, bf16, f16, fp8, "
     "int8, "
     "int4, mxfp4, nvfp4, i32\n"
     "s.yaml:6:39: error: plan.precision: unknown key \"activation\"; did you mean \"activations\"?\n"},
    {with("plan:\n  precision: {weights: f32}\n  precision.weights: bf16\n"),
     "s.yaml:7:22: error: plan.precision.weights: is set twice; first at line 6\n"},
    {with("plan: {fusion: true}\n"), "s.yaml:5:16: error: plan.fusion: a mapping of settings is needed\n"},
    {with("plan: {fusion: {qkv: yes}}\n"), "s.yaml:5:22: error: fusion.qkv: \"yes\" is not true or false\n"},
    {with("plan: {fusion: {qkv: }}\n"), "s.yaml:5:17: error: plan.fusion.qkv: is empty; a value is needed\n"},
    {with("plan: {workload.batch: 2}\n"),
     "s.yaml:5:8: error: plan: unknown key \"workload.batch\"; expected one of precision, precision.weights, "
     "precision.activations, precision.inputs, precision.kv, fusion, fusion.qkv, fusion.gate_up, "
     "fusion.residual_norm, fusion.residual_product, fusion.rope_kv, fusion.rope_attention, "
     "fusion.norm_product, fusion.norm_epilogue, "
     "fusion.gated_product, fusion.gated_epilogue, fusion.quantize, fusion.norm_router, fusion.experts, "
     "fusion.early_gather, kernels, kernels.attention, kernels.experts, launch, launch.graphs, "
     "launch.batch_buckets, launch.overlap, kv, kv.block_tokens, parallel, parallel.tensor, "
     "parallel.pipeline, parallel.data, parallel.experts\n"},
    {with("plan: {precision: {weights: int8 lm_haed=bf16}}\n"),
     "s.yaml:5:29: error: precision.weights: \"lm_haed\" is not a role; did you mean \"lm_head\"?\n"},
    {with("plan: {precision.weights: bf16 0-2/*=f32}\n"),
     "s.yaml:5:27: error: precision.weights: a rule names layer 2; the model's last one is 1\n"},
    {with("plan: {launch.batch_buckets: [1, [2]]}\n"),
     "s.yaml:5:34: error: plan.launch.batch_buckets: a list of plain values is needed\n"},
    {with("plan: {parallel.tensor: 2}\n"),
     "s.yaml:5:25: error: parallel.tensor: needs 2 devices, of which there are 1; set devices: 2\n"},
    {with("plan: {precision.inputs: fp8}\n"),
     "s.yaml:5:26: error: precision.inputs: \"layers.0.attention.q\" takes fp8 inputs but its weights "
     "are bf16; "
     "set precision.weights to fp8 there, or its inputs to as_is\n"},
    // Execution and the engine.
    {with("execute: cpu\n"), "s.yaml:5:10: error: execute: a mapping of keys to values is needed\n"},
    {with("execute: {backend: gpu, repeats: 0, weight: w}\n"),
     "s.yaml:5:20: error: execute.backend: \"gpu\" is not cpu or cuda:N\n"
     "s.yaml:5:34: error: execute.repeats: must be 1 to 1000, is 0\n"
     "s.yaml:5:37: error: execute: unknown key \"weight\"; did you mean \"weights\"?\n"},
    {with("execute: {backend: \"cuda:\", weights: none.safetensors}\n"),
     "s.yaml:5:20: error: execute.backend: \"cuda:\" is not cpu or cuda:N\n"
     "s.yaml:5:38: error: execute.weights: no such file or folder: none.safetensors\n"},
    {with("engine: {sampler_bytes_per_logit: -1, source: s}\n"),
     "s.yaml:5:35: error: engine.sampler_bytes_per_logit: must not be negative\n"},
    {with("engine: {per_step: 10, per_sequence: 1 MB}\n"),
     "s.yaml:5:9: error: engine: missing key \"source\"\n"
     "s.yaml:5:20: error: engine.per_step: \"10\" has no unit (ns, us, ms, s); a time is needed, such as \"3 "
     "us\"\n"
     "s.yaml:5:38: error: engine.per_sequence: \"1 MB\" is a size; a time is needed, such as \"3 us\"\n"},
    // Variants.
    {with("variants: {name: v}\n"), "s.yaml:5:11: error: variants: a list is needed\n"},
    {with("variants: [v]\n"), "s.yaml:5:12: error: variants[0]: a mapping of keys to values is needed\n"},
    {with("variants:\n  - set: {workload.batch: 2}\n"),
     "s.yaml:6:5: error: variants[0]: missing key \"name\"\n"},
    {with("variants:\n  - name: \"\"\n"),
     "s.yaml:6:11: error: variants[0].name: is empty; a text is needed\n"},
    {with("variants:\n  - {name: v}\n  - {name: v}\n  - {name: baseline}\n"),
     "s.yaml:7:12: error: variants[1].name: \"v\" is the name of variants[0] already\n"
     "s.yaml:8:12: error: variants[2].name: \"baseline\" is what reports call the scenario without "
     "variants\n"},
    {variant("    optimization: [bf16]\n"),
     "s.yaml:7:5: error: variants[0]: unknown key \"optimization\"; did you mean \"optimizations\"?\n"},
    {variant("    optimizations: bf16\n"),
     "s.yaml:7:20: error: variants[0].optimizations: a list of names is needed\n"},
    {variant("    optimizations: [bf17, mha, mha, [x]]\n"),
     "s.yaml:7:21: error: variants[0].optimizations[0]: unknown optimization \"bf17\"; did you mean "
     "\"bf16\"?\n"
     "s.yaml:7:32: error: variants[0].optimizations[2]: \"mha\" is listed twice\n"
     "s.yaml:7:37: error: variants[0].optimizations[3]: is a list; a text is needed\n"},
    {variant("    optimizations: [w8a8-int8, grouped-experts]\n"),
     "s.yaml:7:21: error: variants[0].optimizations[0]: \"w8a8-int8\": unit-gpu has no int8 matrix rate\n"
     "s.yaml:7:32: error: variants[0].optimizations[1]: \"grouped-experts\": the model has no experts\n"},
    {variant("    optimizations: [mha, mqa]\n"),
     "s.yaml:7:20: error: variants[0].optimizations: \"mha\" and \"mqa\" both set architecture.kv_heads, to "
     "\"4\" "
     "and \"1\"; leave one out, or say override: true\n"},
    {variant("    optimizations: [mha]\n    set: {architecture.kv_heads: 1}\n"),
     "s.yaml:8:34: error: variants[0].set.architecture.kv_heads: an optimization of this variant sets it to "
     "\"4\"; "
     "leave one out, or say override: true\n"},
    {variant("    set: {kv_heads: 4, archtecture.layers: 1, precision: {weights: {a: b}}}\n"),
     "s.yaml:7:11: error: variants[0].set: unknown key \"kv_heads\"; did you mean "
     "\"architecture.kv_heads\"?\n"
     "s.yaml:7:24: error: variants[0].set: unknown key \"archtecture.layers\"; did you mean "
     "\"architecture.layers\"?\n"
     "s.yaml:7:68: error: variants[0].set.precision.weights: is a mapping; a value is needed\n"},
    {variant("    set: {architecture.kv_heads: 3}\n"),
     "s.yaml:7:34: error: variant \"v\": architecture.kv_heads: 3 does not divide the 4 query heads\n"},
    {variant("    set: {architecture.layers: 0}\n"),
     "s.yaml:7:32: error: variant \"v\": architecture.layers: must be 1 to 10000, is 0\n"},
    {variant("    set: {precision.weights: int8, precision.inputs: int8}\n"),
     "s.yaml:6:5: error: variant \"v\": unit-gpu has no matrix rate for int8, which "
     "\"layers.0.attention.q\" multiplies in\n"},
    {variant("    override: maybe\n"),
     "s.yaml:7:15: error: variants[0].override: \"maybe\" is not true or false\n"},
};

TEST_F(MalformedScenario, IsToldWholeWithPlaces) {
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder_);
  for (const auto& [text, told] : table) {
    write("s.yaml", text);
    const Result<Scenario> scenario = load_scenario("s.yaml", library_);
    EXPECT_EQ(scenario ? "read" : to_string(scenario.error()), told) << text;
  }
  std::filesystem::current_path(before);
}

TEST_F(MalformedScenario, AMissingFileIsNamed) {
  const auto missing = load_scenario(folder_ / "none.yaml", library_);
  ASSERT_FALSE(missing);
  EXPECT_EQ(told(missing.error()), "error: no such file: none.yaml\n");
  const auto folder = load_scenario(folder_, library_);
  ASSERT_FALSE(folder);
  EXPECT_EQ(to_string(folder.error()), "error: not a file: " + folder_.string() + "\n");
}

TEST_F(MalformedScenario, MistakesOfTheModelFileAreToldThere) {
  write("model/config.json", "{\"architectures\": [\"NobodyForCausalLM\"]}");
  const auto file = write("s.yaml",
                          "name: x\nmodel: ./model\ndevice: unit-gpu\n"
                          "workload: {prompt_tokens: 1, output_tokens: 1}\n");
  const auto scenario = load_scenario(file, library_);
  ASSERT_FALSE(scenario);
  EXPECT_EQ(scenario.error().front().where.file, (folder_ / "./model/config.json").string());
  EXPECT_GT(scenario.error().front().where.line, 0);
}

}  // namespace
}  // namespace inferometer
