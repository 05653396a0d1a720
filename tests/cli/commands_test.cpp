#include <gtest/gtest.h>

#include <sstream>

#include "model/document.hpp"
#include "tests/cli/program.hpp"

namespace inferometer {
namespace {

/// The value at `path` ("memory.fits") of a JSON text, as it is spelt.
std::string value_at(const std::string& text, const std::string& path) {
  const auto document = parse_json(text, "output");
  EXPECT_TRUE(document) << text;
  if (!document) return "";
  const Document* at = &*document;
  for (std::size_t from = 0; from <= path.size();) {
    const std::size_t dot = std::min(path.find('.', from), path.size());
    const std::string key = path.substr(from, dot - from);
    const Document* next = nullptr;
    for (const Document::Entry& entry : at->mapping) {
      if (entry.key == key) next = &entry.value;
    }
    if (next == nullptr) return "no " + key;
    at = next;
    from = dot + 1;
  }
  return at->kind == Document::Kind::null ? "null" : at->scalar;
}

const std::string llama_70b =
    "predict --model llama-3.1-70b --device h200-sxm --phase decode --batch 8 --context 4096 --json";

TEST(Predict, Llama70bFitsAnH200OnlyInEightBits) {
  const Ran bf16 = run_program(llama_70b);
  ASSERT_EQ(bf16.code, 0) << bf16.printed;
  EXPECT_EQ(value_at(bf16.printed, "memory.fits"), "false");
  EXPECT_EQ(value_at(bf16.printed, "memory.capacity_bytes"), std::to_string(143771LL << 20));
  EXPECT_EQ(value_at(bf16.printed, "level"), "datasheet");
  EXPECT_EQ(value_at(bf16.printed, "bound"), "memory");
  EXPECT_EQ(value_at(bf16.printed, "interval_s"), "null");
  const Ran fp8 = run_program(llama_70b + " --set precision.weights=fp8");
  ASSERT_EQ(fp8.code, 0) << fp8.printed;
  EXPECT_EQ(value_at(fp8.printed, "memory.fits"), "true");
}

TEST(Predict, WeightsAndCacheOfLlama70bAreThePublishedOnes) {
  const Ran run = run_program(llama_70b);
  // 70,553,706,496 parameters of 2 bytes; 80 layers, 8 heads of 128, keys and values of 2 bytes, 8 x 4096
  // tokens.
  EXPECT_EQ(value_at(run.printed, "memory.weights_bytes"), std::to_string(2 * 70553706496LL));
  EXPECT_EQ(value_at(run.printed, "memory.kv_bytes"), std::to_string(80LL * 8 * 128 * 2 * 2 * 8 * 4096));
}

TEST(Commands, SayWhatTheyAreAskedFor) {
  EXPECT_NE(run_program("--version").printed.find("0."), std::string::npos);
  EXPECT_NE(run_program("--help").printed.find("predict"), std::string::npos);
  for (const char* what : {"models", "devices", "operators", "optimizations", "settings", "parameters"}) {
    const Ran table = run_program(std::string{"list "} + what),
              json = run_program(std::string{"list --json "} + what);
    EXPECT_EQ(table.code, 0) << table.printed;
    EXPECT_TRUE(parse_json(json.printed, what)) << json.printed;
  }
  for (const char* name : {"llama-2-7b", "h200-sxm", "linear", "w8a8-int8", "precision.weights", "half_rows"})
    EXPECT_EQ(run_program(std::string{"explain "} + name).code, 0) << name;
  EXPECT_EQ(run_program("doctor").code, 0);
  const Ran dot = run_program("graph --model smollm2-135m --dot");
  EXPECT_EQ(dot.code, 0);
  EXPECT_TRUE(dot.printed.starts_with("digraph")) << dot.printed.substr(0, 80);
  EXPECT_TRUE(parse_json(run_program("graph --model smollm2-135m --json").printed, "graph"));
}

TEST(Run, APredictionOnlyScenarioWritesItsReports) {
  const Folder folder;
  const std::string out = (folder.path() / "out").string();
  const Ran run = run_program("run " INFEROMETER_SOURCE "/scenarios/h200-llama-70b.yaml --out " + out);
  ASSERT_EQ(run.code, 0) << run.printed;
  for (const char* file : {"report.html", "report.md", "results.json", "trace.json"})
    EXPECT_GT(std::filesystem::file_size(std::filesystem::path{out} / file), 1000U) << file;
}

TEST(Tune, NeedsAGpu) {
  const Folder folder;
  const std::string out = (folder.path() / "tuning.yaml").string();
  const Ran run = run_program(
      "tune " INFEROMETER_SOURCE "/scenarios/h200-llama-8b.yaml --backend cuda:1000 --out " + out);
  EXPECT_EQ(run.code, 1) << run.printed;
  const bool told = run.printed.find("no CUDA device") != std::string::npos ||
                    run.printed.find("cuda:1000: no such device") != std::string::npos;
  EXPECT_TRUE(told) << run.printed;
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST(Tune, AFileThatIsMissingOrWrongStopsARun) {
  const Folder folder;
  const std::string scenario = folder.write(
      "s.yaml",
      "name: x\nmodel: smollm2-135m\ndevice: h200-sxm\nworkload: {prompt_tokens: 16, output_tokens: 4}\n"
      "execute: {backend: \"cuda:0\", tuning: t.yaml}\n");
  const std::string run = "run " + scenario + " --out " + (folder.path() / "out").string();
  const Ran missing = run_program(run);
  EXPECT_EQ(missing.code, 2) << missing.printed;
  EXPECT_NE(missing.printed.find("t.yaml; `inferometer tune` writes it"), std::string::npos)
      << missing.printed;
  folder.write("t.yaml", "gpu: x\n");
  const Ran wrong = run_program(run);
  EXPECT_EQ(wrong.code, 2) << wrong.printed;
  EXPECT_NE(wrong.printed.find("t.yaml:1:1: error: missing key \"driver\""), std::string::npos)
      << wrong.printed;
}

TEST(Readme, ShowsWhatTheProgramPrints) {
  std::ifstream in(INFEROMETER_SOURCE "/README.md");
  const std::string readme{std::istreambuf_iterator<char>(in), {}};
  for (const char* what : {"operators", "optimizations", "devices"}) {
    std::istringstream lines(run_program(std::string{"list "} + what).printed);
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with("host")) {
        EXPECT_NE(readme.find(line), std::string::npos) << line;
      }
    }
  }
}

}  // namespace
}  // namespace inferometer
