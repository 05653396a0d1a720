#include <gtest/gtest.h>

#include "tests/cli/program.hpp"

namespace inferometer {
namespace {

const std::string head = "name: t\nsource: here\nsettings: none\ndevice: a100-sxm\n";
const std::string engines =
    head +
    "kind: generation\nengines:\n  e: {model: smollm2-135m}\n"
    "  slow: {model: smollm2-135m, host: {launches: 1000, each: 1 ms, source: made up}}\n";
const std::string sizes = "batch: 1, prompt: 64, output: 3";
const std::string kernels = head + "kind: kernels\nformat: fp16\n";
const std::string weight_only = head +
                                "kind: weight-only\nengine: {model: smollm2-135m}\nmean_context: 1.5\n"
                                "fitted_context: 128\n";

TEST(ValidatePapers, PredictsWhatShipsWithinTheLimits) {
  const Ran run =
      run_program("validate papers --require " INFEROMETER_SOURCE "/scenarios/limits/papers.yaml");
  EXPECT_EQ(run.code, 0) << run.printed;
  std::size_t papers = 0;
  for (const auto& entry : std::filesystem::directory_iterator(INFEROMETER_SOURCE "/scenarios/papers")) {
    EXPECT_NE(run.printed.find("\n" + entry.path().stem().string() + " "), std::string::npos) << entry.path();
    ++papers;
  }
  EXPECT_GE(papers, 12U);
}

TEST(ValidatePapers, PutsEagerBehindFusedEngines) {
  const Ran run = run_program("validate papers engines-a100 --json");
  ASSERT_EQ(run.code, 0) << run.printed;
  const auto predicted = [&](const std::string& label) {
    const std::size_t row = run.printed.find("\"" + label + "\"");
    const std::size_t at = run.printed.find("\"predicted\": ", row) + 13;
    return std::stod(run.printed.substr(at, 20));
  };
  EXPECT_GT(predicted("vLLM"), 2 * predicted("HuggingFace"));
}

TEST(ValidatePapers, FailsWhereALimitIsExceeded) {
  const Folder folder;
  const std::string limits =
      folder.write("limits.yaml", "limits:\n  - {paper: vidur-products-a100, mape: 0.01}\n");
  const Ran run = run_program("validate papers vidur-products-a100 --require " + limits);
  EXPECT_EQ(run.code, 1);
  EXPECT_NE(run.printed.find("limits.yaml:2:5: error: vidur-products-a100: mean absolute error"),
            std::string::npos)
      << run.printed;
  EXPECT_EQ(run_program("validate papers vidur-products-h100 --require " + limits).code, 0);
}

TEST(ValidatePapers, WaitsForAHostThatTakesLonger) {
  const Folder folder;
  const std::string file = folder.write(
      "t.yaml", engines + "rows:\n  - {engine: slow, " + sizes + ", quantity: token, published: 1000}\n");
  const Ran run = run_program("validate papers " + file + " --json");
  EXPECT_EQ(run.code, 0);
  EXPECT_NE(run.printed.find("\"predicted\": 1000.0"), std::string::npos) << run.printed;
}

TEST(ValidatePapers, MeetsTheCellThatItFitsTo) {
  const Folder folder;
  const std::string file = folder.write("t.yaml", weight_only +
                                                      "rows:\n  - {batch: 1, context: 128, published: 1.1}\n"
                                                      "  - {batch: 1, context: 256, published: 1.1}\n");
  const Ran run = run_program("validate papers " + file);
  EXPECT_EQ(run.code, 0) << run.printed;
  EXPECT_NE(run.printed.find("fitted: batch 1: products"), std::string::npos) << run.printed;
  EXPECT_NE(run.printed.find("1 rows scored"), std::string::npos) << run.printed;
}

/// A file that is wrong, and part of what must be said of it.
struct Wrong {
  std::string text, told;
};
const std::vector<Wrong> wrong_papers{
    {"name: u\nsource: s\nsettings: s\ndevice: a100-sxm\nkind: kernels\n",
     "t.yaml:1:7: error: name: the file is called"},
    {head + "kind: kernel\n", "t.yaml:5:7: error: kind: \"kernel\" is not one of generation"},
    {"name: t\nsource: s\nsettings: s\ndevice: a1000\nkind: kernels\n", "t.yaml:4:9: error: device: unknown"},
    {kernels + "rows: []\n", "t.yaml:7:7: error: rows: a list of rows is needed"},
    {kernels + "rows:\n  - {call: gemv, unit: us, published: 1}\n", "t.yaml:8:12: error: rows[0].call"},
    {kernels + "rows:\n  - {call: decode-attention, batch: 1, keys: 1, unit: us, published: 1}\n",
     "the table has no heads:"},
    {kernels + "rows:\n  - {call: layer-products, model: x, tokens: 1, unit: us, published: 1}\n",
     "unknown model \"x\""},
    {kernels + "rows:\n  - {call: layer-products, model: llama-2-7b, tokens: 0, unit: us, published: 1}\n",
     "tokens: must be 1 to"},
    {kernels + "rows:\n  - {call: layer-products, model: llama-2-7b, tokens: 1, unit: us, published: -1}\n",
     "published: must be positive"},
    {kernels +
         "rows:\n  - {call: layer-products, model: llama-2-7b, tokens: 1, unit: us, published: [2, 1]}\n",
     "a range is two positive numbers"},
    {kernels +
         "rows:\n  - {call: layer-products, model: llama-2-7b, tokens: 1, unit: us, published: 1, x: 1}\n",
     "unknown key \"x\""},
    {kernels +
         "rows:\n  - {call: layer-products, model: llama-2-7b, tokens: 1, unit: us, published: 1, scored: "
         "false}\n",
     "note: must say why"},
    {engines + "rows:\n  - {engine: f, " + sizes + ", quantity: token, published: 1}\n",
     "t.yaml:10:14: error: rows[0].engine: \"f\" is not under engines:"},
    {engines + "rows:\n  - {engine: e, batch: 1, prompt: 9, output: 1, quantity: token, published: 1}\n",
     "output: must be at least 2"},
    {engines + "rows:\n  - {engine: e, " + sizes + ", quantity: speed-up, published: 1}\n",
     "missing key \"over\""},
    {head + "kind: generation\nengines:\n  e: {model: llama-2-7b, optimize: [w4]}\nrows: [{}]\n",
     "unknown optimization \"w4\""},
    {head + "kind: generation\nengines:\n  e: {model: llama-2-7b, set: {fusion.qvk: true}}\nrows: [{}]\n",
     "qvk"},
    {weight_only + "rows:\n  - {batch: 1, context: 256, published: 2}\n",
     "batch 1 has no cell at context 128"},
    {weight_only + "rows:\n  - {batch: 1, context: 128, published: 2000}\n", "products in no time"},
};

TEST(ValidatePapers, SaysWhereAFileIsWrong) {
  for (const auto& [text, told] : wrong_papers) {
    const Folder folder;
    const Ran run = run_program("validate papers " + folder.write("t.yaml", text));
    EXPECT_EQ(run.code, 2) << text << run.printed;
    EXPECT_NE(run.printed.find(told), std::string::npos) << told << "\n" << text << run.printed;
  }
  EXPECT_NE(run_program("validate papers engines-a10").printed.find("did you mean \"engines-a100\"?"),
            std::string::npos);
}

TEST(ValidatePapers, SaysWhereLimitsAreWrong) {
  const Folder folder;
  const std::string limits = folder.write("limits.yaml", "limits:\n  - {paper: x, mape: -1}\n");
  const Ran run = run_program("validate papers --require " + limits);
  EXPECT_EQ(run.code, 2);
  EXPECT_NE(run.printed.find("limits.yaml:2:22: error: limits[0].mape: must be positive"), std::string::npos)
      << run.printed;
}

}  // namespace
}  // namespace inferometer
