#include <gtest/gtest.h>

#include "tests/cli/program.hpp"

namespace inferometer {
namespace {

/// A file that is wrong, and part of what must be said of it (the whole messages are tested beside the
/// readers).
struct Wrong {
  std::string text, told;
};

const std::string head = "name: x\nmodel: smollm2-135m\ndevice: h200-sxm\n";
const std::string right = head + "workload: {batch: 1, prompt_tokens: 16, output_tokens: 4}\n";

const std::vector<Wrong> scenarios{
    {"", "the file is empty"},
    {"[a, b]\n", ":1:1: error: a mapping"},
    {"name: x\n", "missing key \"model\""},
    {right + "workload: {}\n", "repeated"},
    {right + "variant: []\n", ":5:1: error: unknown key \"variant\"; did you mean \"variants\"?"},
    {"name: x\nmodel: smollm2-135\ndevice: h200-sxm\nworkload: {prompt_tokens: 1, output_tokens: 1}\n",
     "did you mean \"smollm2-135m\"?"},
    {"name: x\nmodel: smollm2-135m\ndevice: h200\nworkload: {prompt_tokens: 1, output_tokens: 1}\n",
     "unknown device \"h200\""},
    {head + "workload: 5\n", "workload"},
    {head + "workload: {batch: 0, prompt_tokens: 1, output_tokens: 1}\n", "must be 1 to"},
    {head + "workload: {batch: 1e3, prompt_tokens: 1, output_tokens: 1}\n", "is not a whole number"},
    {head + "workload: {batch: 1, prompt_tokens: 010, output_tokens: 1}\n", "octal"},
    {right + "devices: two\n", ":5:10: error: devices"},
    {right + "seed: -1\n", "draws.seed"},
    {right + "engine: {per_step: 10, source: x}\n", "has no unit"},
    {right + "engine: {per_step: 10 MB, source: x}\n", "is a size; a time is needed"},
    {right + "engine: {per_step: 10 us}\n", "missing key \"source\""},
    {right + "plan: {precision: {weights: bf17}}\n", "bf17"},
    {right + "plan: {fusion: {qvk: true}}\n", "qvk"},
    {right + "plan: {fusion: {qkv: yes}}\n", "is not true or false"},
    {right + "plan: {kv: {block_tokens: 0}}\n", "kv.block_tokens"},
    {right + "plan: {parallel: {tensor: 7}}\n", "does not divide"},
    {right + "variants:\n  - name: v\n    optimizations: [w8a9]\n", "w8a9"},
    {right + "variants:\n  - name: v\n    optimizations: [bf16, f32]\n", "precision"},
    {right + "variants:\n  - name: v\n    set: {workload.bach: 2}\n", "did you mean"},
    {right + "variants:\n  - optimizations: [bf16]\n", "missing key \"name\""},
    {right + "variants:\n  - {name: v}\n  - {name: v}\n", "v"},
    {right + "execute: {backend: tpu}\n", "tpu"},
    {right + "execute: {backend: cpu}\n", "set device: host"},
    {right + "plan: {precision: {activations: \"bf16 o=f32\"}}\n", "one dtype for the whole network"},
    {right + "plan: {precision: {kv: \"bf16 k=fp8\"}}\n", "the cache is chosen by layer"},
    {right + "execute: {backend: cpu, weights: ./none}\n", "no such file or folder"},
    {"name: [\n", "error"},
    {"\tname: x\n", "error"},
    {"name: *nobody\n", "error"},
    {"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n", "error"},
    {"name: x\nname: y\n", "error"},
    {std::string(300, '['), "error"},
};

const std::string model_head = "{\"architectures\": [\"LlamaForCausalLM\"], ";
const std::vector<Wrong> configs{
    {"", "error"},
    {"{", "error"},
    {"[]", "error"},
    {"{\"architectures\": [\"NobodyForCausalLM\"]}", "NobodyForCausalLM"},
    {"{\"architectures\": []}", "architectures"},
    {model_head + "\"hidden_size\": 64}", "missing key"},
    {model_head + "\"hidden_size\": \"64\"}", "hidden_size"},
    {model_head + "\"hidden_size\": -64}", "hidden_size"},
    {model_head + "\"hidden_size\": 64, \"hidden_size\": 64}", "repeated"},
    {model_head + "\"rope_scaling\": {\"rope_type\": \"spiral\"}}", "spiral"},
    {model_head + "\"hidden_act\": \"relu\"}", "relu"},
    {model_head + "\"alibi\": true}", "alibi"},
};

TEST(Malformed, ScenariosEndWithTwo) {
  const Folder folder;
  for (const Wrong& wrong : scenarios) {
    const std::string file = folder.write("s.yaml", wrong.text);
    const Ran run = run_program("run " + file + " --out " + (folder.path() / "out").string());
    EXPECT_EQ(run.code, 2) << wrong.text << run.printed;
    EXPECT_NE(run.printed.find(wrong.told), std::string::npos) << wrong.text << run.printed;
    EXPECT_NE(run.printed.find("error: "), std::string::npos) << wrong.text;
  }
}

TEST(Malformed, ModelConfigurationsEndWithTwo) {
  const Folder folder;
  for (const Wrong& wrong : configs) {
    const std::string file = folder.write("model/config.json", wrong.text);
    const Ran run = run_program("predict --model " + file);
    EXPECT_EQ(run.code, 2) << wrong.text << run.printed;
    EXPECT_NE(run.printed.find(wrong.told), std::string::npos) << wrong.text << run.printed;
    EXPECT_NE(run.printed.find(file), std::string::npos) << wrong.text << run.printed;
  }
}

TEST(Malformed, CheckpointsEndWithTwo) {
  const Folder folder;
  const std::string scenario = folder.write(
      "s.yaml", "name: x\nmodel: smollm2-135m\ndevice: " INFEROMETER_FIXTURES
                "/library/devices/unit-cpu.yaml\nworkload: {prompt_tokens: 16, output_tokens: 4}\n"
                "execute: {backend: cpu, weights: w.safetensors}\n");
  const std::string header = "{\"a\":{\"dtype\":\"F32\",\"shape\":[9],\"data_offsets\":[0,16]}}";
  const std::string size(1, static_cast<char>(header.size()));
  const std::vector<Wrong> files{
      {"", "too short"},
      {std::string("\x40\0\0\0\0\0\0\0{}", 10), "only 2 follow"},
      {std::string(8, '\xff'), "only 0 follow"},
      {std::string("\2\0\0\0\0\0\0\0[]", 10), "not a mapping"},
      {std::string("\2\0\0\0\0\0\0\0{}", 10), "no tensor"},
      {size + std::string(7, '\0') + header + std::string(16, 'x'), "takes 36"},
  };
  for (const Wrong& wrong : files) {
    folder.write("w.safetensors", wrong.text);
    const Ran run = run_program("run " + scenario + " --out " + (folder.path() / "out").string());
    EXPECT_EQ(run.code, 2) << run.printed;
    EXPECT_NE(run.printed.find(wrong.told), std::string::npos) << run.printed;
  }
}

TEST(Malformed, CommandLinesEndWithTwo) {
  for (const char* arguments :
       {"",
        "fly",
        "predict",
        "run",
        "run none.yaml",
        "predict --model llama-3.1-8b --phase sideways",
        "predict --model nobody",
        "predict --model llama-3.1-8b --batch 0",
        "predict --model llama-3.1-8b --batch many",
        "predict --model llama-3.1-8b --context 0",
        "predict --model llama-3.1-70b --phase prefill --batch 100 --context 10000000",
        "predict --model llama-3.1-8b --set architecture.layers=100000000",
        "predict --model llama-3.1-8b --set workload.batch=2",
        "predict --model llama-3.1-8b --device abacus",
        "predict --model llama-3.1-8b --set precision.weights",
        "predict --model llama-3.1-8b --set precision.weight=fp8",
        "predict --model llama-3.1-8b --set precision.weights=fp9",
        "predict --model llama-3.1-8b --optimize faster",
        "list everything",
        "explain nothing-that-exists",
        "graph --model nobody",
        "calibrate --backend tpu",
        "calibrate --backend cpu --seconds 0",
        "calibrate --backend cpu --device host --out calibration.yaml",
        "calibrate --backend cpu --device host --points points.yaml",
        "calibrate --backend cpu --device h200-sxm",
        "validate steps --backend cuda:0 --device h200-sxm --calibration missing.yaml",
        "calibrate --backend cuda:0 --device h200-sxm --seconds 5",
        "tune",
        "tune none.yaml",
        "tune " INFEROMETER_SOURCE "/scenarios/h200-llama-8b.yaml --backend cpu",
        "tune " INFEROMETER_SOURCE "/scenarios/h200-llama-8b.yaml --backend cuda:"}) {
    const Ran run = run_program(arguments);
    EXPECT_EQ(run.code, 2) << arguments << "\n" << run.printed;
    EXPECT_FALSE(run.printed.empty()) << arguments;
  }
}

}  // namespace
}  // namespace inferometer
