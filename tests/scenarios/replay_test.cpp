#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "model/hf_config.hpp"
#include "model/kv_capacity.hpp"
#include "model/nearest_rank.hpp"
#include "scenarios/csv_row.hpp"
#include "scenarios/files.hpp"
#include "scenarios/profile_files.hpp"
#include "simulator/serving/metrics.hpp"
#include "simulator/serving/profiled_timer.hpp"
#include "simulator/serving/simulate.hpp"
#include "traffic/trace.hpp"

// One run of a real engine (its run.json and requests), replayed with the kernel profile of its device.

namespace inferometer {
namespace {

namespace fs = std::filesystem;

/// The engine's settings, as its run.json has them.
ServerSettings engine_of_the_run() {
  ServerSettings s;
  s.instance.serving = {.policy = BatchingPolicy::vllm_v1,
                        .max_num_seqs = 256,
                        .max_num_batched_tokens = 2048,
                        .max_model_len = 32768,
                        .prefix_caching = true};
  s.instance.kv_blocks = 2588;
  s.instance.block_tokens = 16;
  return s;
}

std::vector<std::int64_t> graph_sizes() {
  std::vector<std::int64_t> sizes{1, 2, 4};
  for (std::int64_t size = 8; size < 256; size += 8) sizes.push_back(size);
  for (std::int64_t size = 256; size <= 512; size += 16) sizes.push_back(size);
  return sizes;
}

struct Latencies {
  std::vector<double> ttft, tpot, e2el;  ///< [s]
};

Latencies measured(const fs::path& file) {
  Latencies l;
  const auto text = read_file(file);
  const Done read = for_each_row(
      *text, file.string(), [](const auto&) { return std::string{}; },
      [&](Row& row, int) {
        l.ttft.push_back(row.positive<double>("ttft_ms") / 1e3);
        l.tpot.push_back(row.positive<double>("tpot_ms") / 1e3);
        const double tokens = row.positive<double>("output_tokens");
        l.e2el.push_back(l.ttft.back() + l.tpot.back() * (tokens - 1));
      });
  EXPECT_TRUE(read) << to_string(read.error());
  return l;
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

double off(double predicted, double real) { return 100 * (predicted / real - 1); }

TEST(Replay, OfARealEnginesRunTakesWhatItTook) {
  const char* data = std::getenv("INFEROMETER_DATA");
  if (data == nullptr) GTEST_SKIP() << "INFEROMETER_DATA is not set";
  const fs::path run_folder = fs::path{data} / "e2e_vllm_rtx4090_llama31_8b";
  const auto tables = read_llmservingsim_profile(run_folder, 1);
  ASSERT_TRUE(tables) << to_string(tables.error());
  EXPECT_FALSE(tables->skew_applies);  // as its meta file says
  const fs::path trace_file = fs::path{data} / "traces" / "sharegpt_llama31_300.csv";
  const auto text = read_file(trace_file);
  ASSERT_TRUE(text) << to_string(text.error());
  const auto trace = read_trace(*text, trace_file.string(), 0);
  ASSERT_TRUE(trace) << to_string(trace.error());
  // Asynchronous scheduling hides the host: nothing is added to the kernels.
  ProfiledTimer timer(LayerProfile(*tables, {.layers = 32}), {.graph_sizes = graph_sizes()});
  const auto run = simulate(engine_of_the_run(), trace->traffic, timer);
  ASSERT_TRUE(run) << to_string(run.error());
  const RequestLatencies predicted = latencies_of(*run, trace->traffic);
  const Latencies real = measured(run_folder / "vllm_requests.csv");
  ASSERT_EQ(predicted.ttft.size(), real.ttft.size());
  const auto within = [&](const char* what, double percent, const std::vector<double>& ours,
                          const std::vector<double>& theirs) {
    EXPECT_LT(std::abs(off(mean(ours), mean(theirs))), percent) << what << ", mean";
    for (const double q : {0.5, 0.9, 0.95, 0.99})
      EXPECT_LT(std::abs(off(nearest_rank(ours, q), nearest_rank(theirs, q))), percent) << what << ' ' << q;
  };
  within("TTFT", 1, predicted.ttft, real.ttft);
  within("TPOT", 1, predicted.tpot, real.tpot);
  within("latency", 1, predicted.e2el, real.e2el);
}

TEST(Replay, TheCacheOfARealEngineIsWhatItsMemoryHasLeft) {
  const fs::path presets{INFEROMETER_SOURCE "/scenarios"};
  const fs::path model_file = presets / "models" / "llama-3.1-8b.json";
  const auto text = read_file(model_file);
  ASSERT_TRUE(text);
  const auto model = read_hf_config(*text, model_file.string(), "llama-3.1-8b");
  ASSERT_TRUE(model) << to_string(model.error());
  Case c;
  c.models["model"] = *model;
  c.cluster.device.memory_capacity.value = Bytes{25'250'627'584};  // run.json
  c.serving = engine_of_the_run().instance.serving;
  // Logs of vLLM on other devices. Sampling: 1.26 GiB of activations of Llama-3-8B at 256 sequences, most of
  // which only its sampler can take (github.com/vllm-project/vllm/pull/10511), over 256 x 128256 logits.
  // Beside PyTorch: 0.07 GiB (vLLM 0.10.2 on one H100). Before 0.21 graphs were recorded outside of the
  // budget.
  c.engine.sampler_bytes_per_logit = 41;
  c.engine.memory_reserve = Bytes{75'000'000};
  const auto structure = compile(*model, c.plan);
  ASSERT_TRUE(structure) << to_string(structure.error());
  const KvBudget budget = kv_budget(c, *structure);
  EXPECT_EQ(budget.block, Bytes{2 << 20});
  EXPECT_LT(std::abs(off(static_cast<double>(budget.blocks), 2588)), 5) << budget.blocks << " blocks";
}

}  // namespace
}  // namespace inferometer
