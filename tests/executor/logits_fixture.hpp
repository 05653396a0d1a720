#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <ostream>

#include "executor/weights/safetensors.hpp"
#include "model/backend.hpp"
#include "model/document.hpp"
#include "model/hf_config.hpp"
#include "model/step.hpp"

// Tiny published architectures with Hugging Face's logits, which every backend is held to.
namespace inferometer {

namespace fs = std::filesystem;

inline constexpr std::int64_t decode_steps = 8;

/// What make_fixtures.py wrote beside a tiny checkpoint: Hugging Face's logits of the last prompt row, then
/// of each decode step.
struct Expected {
  std::vector<std::int32_t> prompt, tokens;
  std::vector<std::vector<float>> logits;  ///< [1 + decode_steps][vocab]
};

inline std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Token ids are integers, which are no weights' format: they are found by their place in the header.
inline std::vector<std::int32_t> integers(const fs::path& path, const std::string& name) {
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

inline std::vector<float> row_of(const StoredTensor& t, std::int64_t row, std::int64_t width) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < width; ++i) values.push_back(t.at(row * width + i));
  return values;
}

inline Expected read_expected(const fs::path& folder, const std::string& prefix) {
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
inline void PrintTo(const Way& way, std::ostream* out) { *out << way.name; }

inline Plan in(DType dtype) {
  Plan plan;
  plan.precision.weights = dtype;
  plan.precision.activations = dtype;
  plan.precision.kv = dtype;
  return plan;
}

/// A prompt in `pieces`, then decode steps, each fed the token that the reference chose.
inline std::vector<Step> steps_of(const Expected& e, std::int64_t block, std::size_t pieces) {
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

/// Calls each(row) after the prefill (row 0) and each decode step of a fixture in `folder`;
/// false when something went wrong.
inline bool run_fixture(Backend& backend, const fs::path& folder, const Plan& plan, const Expected& e,
                        std::size_t pieces, const std::function<void(std::size_t row)>& each) {
  const fs::path config = folder / "config.json";
  const auto model = read_hf_config(text_of(config), config.string(), folder.filename().string());
  EXPECT_TRUE(model) << to_string(model.error());
  Case c;
  c.models["model"] = *model;
  c.plan = plan;
  c.workload = {.batch = 1,
                .prompt_tokens = static_cast<std::int64_t>(e.prompt.size()),
                .output_tokens = decode_steps + 1};
  const auto structure = compile(*model, c.plan);
  EXPECT_TRUE(structure) << to_string(structure.error());
  const auto prepared = backend.prepare(c, *structure);
  EXPECT_TRUE(prepared) << to_string(prepared.error());
  if (!prepared) return false;
  backend.keep_logits(true);
  const std::vector<Step> steps = steps_of(e, c.plan.kv.block_tokens, pieces);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto run = backend.run(bind(*structure, features(steps[i])), steps[i]);
    EXPECT_TRUE(run) << to_string(run.error());
    if (!run) return false;
    if (i + 1 >= pieces) each(i + 1 - pieces);
  }
  return true;
}

/// Runs a fixture one way; the relative L2 error of the logits of the prefill and all decode steps.
inline double logits_error(Backend& backend, const fs::path& folder, const Way& way, std::size_t pieces) {
  const Expected e = read_expected(folder, way.reference);
  RelativeError error;
  const bool ran = run_fixture(backend, folder, way.plan, e, pieces, [&](std::size_t row) {
    error.add(backend.output().logits, e.logits[row]);
    if (way.reference.empty()) {
      EXPECT_EQ(backend.output().tokens[0], e.tokens[row]) << way.name << ", step " << row;
    }
  });
  return ran ? error.value() : 1;
}

}  // namespace inferometer
