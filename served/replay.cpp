#include "served/replay.hpp"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <numeric>

#include "model/kv_capacity.hpp"
#include "model/quantile.hpp"
#include "scenarios/csv_row.hpp"
#include "scenarios/files.hpp"
#include "scenarios/profile_files.hpp"
#include "simulator/serving/metrics.hpp"
#include "simulator/serving/profiled_timer.hpp"
#include "simulator/serving/simulate.hpp"
#include "traffic/trace.hpp"

namespace inferometer {
namespace {

using Json = nlohmann::json;

/// "meta-llama/Llama-3.1-8B" is the preset llama-3.1-8b.
std::string preset_of(std::string model) {
  model.erase(0, model.find('/') + 1);
  std::transform(model.begin(), model.end(), model.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return model;
}

/// The run's engine as a Case. Device memory and limits are the run's own; what its sampler and context take
/// is from logs of vLLM on other devices:
///   sampling  1.26 GiB of activations of Llama-3-8B at 256 sequences, most of which only the sampler can
///   take
///             (github.com/vllm-project/vllm/pull/10511), over 256 x 128256 logits: 41 B each
///   context   0.07 GiB beside PyTorch's memory (vLLM 0.10.2 on one H100); graphs are recorded outside of the
///             budget before vLLM 0.21
Case case_of(const Json& run, Architecture model) {
  Case c;
  c.models["model"] = std::move(model);
  c.cluster.device.memory_capacity.value =
      Bytes{run.at("hardware").at("device_total_memory_bytes").get<std::int64_t>()};
  const Json &engine = run.at("engine_kwargs"), &cache = run.at("kv_cache");
  c.serving.policy = BatchingPolicy::vllm_v1;
  c.serving.max_num_seqs = engine.at("max_num_seqs");
  c.serving.max_num_batched_tokens = engine.at("max_num_batched_tokens");
  c.serving.max_model_len = engine.at("max_model_len");
  c.serving.prefix_caching = cache.at("enable_prefix_caching");
  c.serving.gpu_memory_utilization_percent =
      static_cast<std::int64_t>(100 * cache.at("gpu_memory_utilization").get<double>() + 0.5);
  c.plan.kv.block_tokens = cache.at("block_size");
  c.engine.sampler_bytes_per_logit = 41;
  c.engine.memory_reserve = Bytes{75'000'000};
  return c;
}

Result<RequestLatencies> measured_in(const std::filesystem::path& file) {
  const Result<std::string> text = read_file(file);
  if (!text) return failure(text.error());
  RequestLatencies all;
  const Done read = for_each_row(
      *text, file.string(), [](const auto&) { return std::string{}; },
      [&](Row& row, int) {
        const double ttft = row.positive<double>("ttft_ms"), tpot = row.positive<double>("tpot_ms");
        all.ttft.push_back(ttft / 1e3);
        all.tpot.push_back(tpot / 1e3);
        all.e2el.push_back((ttft + tpot * (row.positive<double>("output_tokens") - 1)) / 1e3);
      });
  if (!read) return failure(read.error());
  if (all.ttft.empty()) return failure("no request is in it", {file.string(), 1, 1});
  return all;
}

void compare(const std::string& latency, std::vector<double> ours, std::vector<double> theirs,
             std::vector<Replay::Figure>& figures) {
  const auto mean = [](const std::vector<double>& v) {
    return std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
  };
  figures.push_back({latency, "mean", 1e3 * mean(ours), 1e3 * mean(theirs)});
  std::sort(ours.begin(), ours.end());
  std::sort(theirs.begin(), theirs.end());
  for (const int p : {50, 90, 95, 99})
    figures.push_back({latency, "p" + std::to_string(p), 1e3 * quantile_of_sorted(ours, p / 100.0),
                       1e3 * quantile_of_sorted(theirs, p / 100.0)});
}

}  // namespace

Result<Replay> replay_run(const std::filesystem::path& folder, const std::filesystem::path& trace_file,
                          const Library& library) {
  const Result<std::string> text = read_file(folder / "run.json"), requests = read_file(trace_file);
  if (!text) return failure(text.error());
  if (!requests) return failure(requests.error());
  const Result<RequestTrace> trace = read_trace(*requests, trace_file.string(), 0);
  if (!trace) return failure(trace.error());
  const Result<RequestLatencies> real = measured_in(folder / "vllm_requests.csv");
  if (!real) return failure(real.error());
  try {
    const Json run = Json::parse(*text);
    const std::int64_t ranks = run.at("engine_kwargs").at("tensor_parallel_size");
    const Result<ProfileTables> tables = read_llmservingsim_profile(folder, ranks);
    if (!tables) return failure(tables.error());
    const std::string name = run.at("engine_kwargs").at("model");
    Result<Architecture> model = load_model(preset_of(name), library);
    if (!model) return failure(model.error());
    const Case c = case_of(run, std::move(*model));
    const Result<Structure> structure = compile(c.model(), c.plan);
    if (!structure) return failure(structure.error());
    Replay replay{.engine = "vLLM " + run.at("vllm_version").get<std::string>() + ", " + name + " on " +
                            run.at("hardware").at("device_name").get<std::string>(),
                  .requests = static_cast<std::int64_t>(trace->traffic.requests.size()),
                  .blocks_computed = kv_budget(c, *structure).blocks,
                  .blocks_of_engine = run.at("kv_cache").at("num_gpu_blocks")};
    ServerSettings server;
    server.instance.serving = c.serving;
    server.instance.kv_blocks = replay.blocks_of_engine;
    server.instance.block_tokens = c.plan.kv.block_tokens;
    // Asynchronous scheduling hides the host: nothing is added to the kernels.
    ProfiledTimer timer(
        std::make_shared<const LayerProfile>(*tables, ProfiledNetwork{.layers = c.model().layers}),
        {.graph_sizes = run.at("resolved").at("cudagraph_capture_sizes")});
    const Result<ServingRun> served = simulate(server, trace->traffic, timer);
    if (!served) return failure(served.error());
    RequestLatencies ours = latencies_of(*served, trace->traffic);
    compare("ttft", std::move(ours.ttft), real->ttft, replay.figures);
    compare("tpot", std::move(ours.tpot), real->tpot, replay.figures);
    compare("e2el", std::move(ours.e2el), real->e2el, replay.figures);
    return replay;
  } catch (const Json::exception& e) {
    return failure(e.what(), {(folder / "run.json").string(), 1, 1});
  }
}

}  // namespace inferometer
