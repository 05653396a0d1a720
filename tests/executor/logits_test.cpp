#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>

#include "executor/cpu/cpu_backend.hpp"
#include "executor/weights/safetensors.hpp"
#include "model/document.hpp"
#include "model/hf_config.hpp"

namespace inferometer {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t decode_steps = 8;

/// What make_fixtures.py wrote beside a tiny checkpoint: Hugging Face's logits of the last prompt row, then
/// of each decode step.
struct Expected {
  std::vector<std::int32_t> prompt, tokens;
  std::vector<std::vector<float>> logits;  ///< [1 + decode_steps][vocab]
};

std::vector<std::int32_t> integers(const fs::path& file, const std::string& name);

std::vector<float> row_of(const StoredTensor& t, std::int64_t row, std::int64_t width) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < width; ++i) values.push_back(t.at(row * width + i));
  return values;
}

Expected read_expected(const fs::path& folder, const std::string& prefix) {
  const fs::path path = folder / "expected.safetensors";
  const auto file = SafetensorsFile::open(path);
  EXPECT_TRUE(file) << to_string(file.error());
  Expected e;
  e.prompt = integers(path, "prompt");
  e.tokens = integers(path, "tokens");
  const StoredTensor& prefill = file->tensors.at(prefix + "prefill_logits");
  const StoredTensor& decode = file->tensors.at(prefix + "decode_logits");
  e.logits.push_back(row_of(prefill, 0, prefill.shape[0]));
  for (std::int64_t i = 0; i < decode_steps; ++i) e.logits.push_back(row_of(decode, i, decode.shape[1]));
  return e;
}

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Token ids are integers, which are no weights' format: they are found by their place in the header.
std::vector<std::int32_t> integers(const fs::path& path, const std::string& name) {
  const std::string bytes = text_of(path);
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  const auto document = parse_json(std::string_view{bytes}.substr(8, header), path.string());
  std::vector<std::int32_t> values;
  for (const Document::Entry& entry : document->mapping) {
    if (entry.key != name) continue;
    std::string dtype;
    std::size_t begin = 0, end = 0;
    for (const Document::Entry& field : entry.value.mapping) {
      if (field.key == "dtype") dtype = field.value.scalar;
      if (field.key != "data_offsets") continue;
      begin = std::stoul(field.value.sequence[0].scalar);
      end = std::stoul(field.value.sequence[1].scalar);
    }
    const std::size_t size = dtype == "I64" ? 8 : 4;
    for (std::size_t at = begin; at < end; at += size) {
      std::int32_t low = 0;  // ids are small and not negative
      std::memcpy(&low, bytes.data() + 8 + header + at, 4);
      values.push_back(low);
    }
  }
  return values;
}

/// |x - y| / |y| over all rows that were added.
struct RelativeError {
  double difference = 0, size = 0;

  void add(const std::vector<float>& x, const std::vector<float>& y) {
    for (std::size_t i = 0; i < y.size(); ++i) {
      difference += std::pow(static_cast<double>(x.at(i)) - static_cast<double>(y[i]), 2);
      size += std::pow(static_cast<double>(y[i]), 2);
    }
  }
  double value() const { return std::sqrt(difference / size); }
};

struct Way {
  std::string name, reference;  ///< reference: prefix of the logits to compare with
  double tolerance = 0;
  Plan plan;
};

Plan in(DType dtype) {
  Plan plan;
  plan.precision.weights = dtype;
  plan.precision.activations = dtype;
  plan.precision.kv = dtype;
  return plan;
}

/// f32 and bf16, and in f32 every other setting that must not change what comes out.
std::vector<Way> ways() {
  std::vector<Way> all{{"f32", "", 1e-4, in(DType::f32)}, {"bf16", "bf16_", 2e-2, in(DType::bf16)}};
  Way fused{"f32 fused", "", 1e-4, in(DType::f32)};
  fused.plan.fusion = {.qkv = true, .gate_up = true, .residual_norm = true};
  all.push_back(fused);
  Way naive{"f32 naive, blocks of 4", "", 1e-4, in(DType::f32)};
  naive.plan.kernels.attention = AttentionKernel::naive;
  naive.plan.kernels.experts = ExpertKernel::loop;
  naive.plan.kv.block_tokens = 4;
  all.push_back(naive);
  return all;
}

/// A prompt in `pieces`, then decode steps, each fed the token that the reference chose.
std::vector<Step> steps_of(const Expected& e, std::int64_t block, std::size_t pieces) {
  // The blocks lie in reverse: nothing may depend on their order.
  std::vector<std::int32_t> table;
  const auto tokens = static_cast<std::int64_t>(e.prompt.size()) + decode_steps + 1;
  for (std::int64_t b = (tokens + block - 1) / block; b > 0; --b)
    table.push_back(static_cast<std::int32_t>(b - 1));
  std::vector<Step> steps;
  std::int64_t cached = 0;
  const auto add = [&](std::vector<std::int32_t> ids) {
    const auto fresh = static_cast<std::int64_t>(ids.size());
    steps.push_back({.slices = {{.sequence = 0,
                                 .tokens = std::move(ids),
                                 .fresh = fresh,
                                 .cached = cached,
                                 .block_table = table}},
                     .operations = {}});
    cached += fresh;
  };
  const std::size_t piece = (e.prompt.size() + pieces - 1) / pieces;
  for (std::size_t from = 0; from < e.prompt.size(); from += piece) {
    const std::size_t to = std::min(e.prompt.size(), from + piece);
    add({e.prompt.begin() + static_cast<std::ptrdiff_t>(from),
         e.prompt.begin() + static_cast<std::ptrdiff_t>(to)});
  }
  for (std::size_t i = 0; i < decode_steps; ++i) add({e.tokens[i]});
  return steps;
}

class Logits : public testing::TestWithParam<std::string> {
 protected:
  fs::path folder() const { return fs::path{INFEROMETER_FIXTURES} / "logits" / GetParam(); }

  /// Runs the fixture one way; the relative L2 error of the logits of the prefill and all decode steps.
  double error_of(const Way& way, std::size_t pieces = 1) {
    const fs::path config = folder() / "config.json";
    const auto model = read_hf_config(text_of(config), config.string(), GetParam());
    EXPECT_TRUE(model) << to_string(model.error());
    const Expected e = read_expected(folder(), way.reference);
    Case c;
    c.models["model"] = *model;
    c.plan = way.plan;
    c.workload = {.batch = 1,
                  .prompt_tokens = static_cast<std::int64_t>(e.prompt.size()),
                  .output_tokens = decode_steps + 1};
    const auto structure = compile(*model, c.plan);
    EXPECT_TRUE(structure) << to_string(structure.error());
    CpuBackend backend({.threads = 2, .weights = folder()});
    const auto prepared = backend.prepare(c, *structure);
    EXPECT_TRUE(prepared) << to_string(prepared.error());
    if (!prepared) return 1;
    backend.keep_logits(true);
    const std::vector<Step> steps = steps_of(e, c.plan.kv.block_tokens, pieces);
    RelativeError error;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const auto run = backend.run(bind(*structure, features(steps[i])), steps[i]);
      EXPECT_TRUE(run) << to_string(run.error());
      if (i + 1 < pieces) continue;
      const std::size_t row = i + 1 - pieces;
      error.add(backend.output().logits, e.logits[row]);
      if (way.reference.empty()) {
        EXPECT_EQ(backend.output().tokens[0], e.tokens[row]) << way.name << ", step " << row;
      }
    }
    return error.value();
  }
};

TEST_P(Logits, EqualThoseOfHuggingFace) {
  for (const Way& way : ways()) {
    const double error = error_of(way);
    std::printf("%s, %s: relative L2 error %.2e\n", GetParam().c_str(), way.name.c_str(), error);
    EXPECT_LE(error, way.tolerance) << way.name;
  }
}

TEST_P(Logits, DoNotDependOnHowThePromptIsCut) { EXPECT_LE(error_of(ways().front(), 3), 1e-4); }

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

INSTANTIATE_TEST_SUITE_P(Families, Logits,
                         testing::Values("llama", "llama_tied", "qwen2", "qwen3", "mistral", "mixtral",
                                         "qwen3_moe", "deepseek_v2", "deepseek_v3", "gpt_oss"));

}  // namespace
}  // namespace inferometer
