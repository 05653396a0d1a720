#pragma once
#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "executor/cuda/cuda_backend.hpp"
#include "model/launch.hpp"
#include "model/nearest_rank.hpp"
#include "model/optimizations.hpp"
#include "scenarios/study.hpp"

// Whole steps with all fusions, replayed from recorded graphs, timed by events.
namespace inferometer {

/// What a step is of.
struct StepKind {
  std::string_view format, phase;  ///< such as "bf16"; "decode" or "prefill"
  std::int64_t batch, context;     ///< sequences; tokens of a prompt, or that a decode step attends to

  bool decodes() const { return phase == "decode"; }
};

inline Case case_of(const StepKind& kind, const Architecture& model, const Device& device) {
  const bool decode = kind.decodes();
  Case c;
  c.models["model"] = model;
  c.cluster.device = device;
  c.workload = {.batch = kind.batch,
                .prompt_tokens = decode ? kind.context - 8 : kind.context,
                .output_tokens = decode ? 17 : 1};
  c.plan.fusion = {.qkv = true,
                   .gate_up = true,
                   .residual_norm = true,
                   .rope_kv = true,
                   .rope_attention = true,
                   .norm_product = true,
                   .norm_epilogue = true,
                   .gated_epilogue = true,
                   .quantize = true,
                   .norm_router = true,
                   .experts = true};
  c.plan.fusion.residual_product = !decode;  // one token takes longer with it
  c.plan.fusion.early_gather = !decode && !model.is_sparse(model.layers - 1);
  c.plan.kv.block_tokens = decode ? 16 : 64;
  c.plan.launch = {.graphs = true, .batch_buckets = {}, .overlap = true};
  if (kind.format != "bf16") {
    const auto set = apply(c, {std::string{kind.format}});
    require(set.has_value(), "an optimization of that name");
  }
  return c;
}

struct TimedStep {
  Features features;                     ///< of one in the middle
  double median = 0, low = 0, high = 0;  ///< [s]; 10 % of the times are below `low`, 10 % above `high`
  Bytes planned{0}, used{0};
};

/// Until the medians of the first and the second half agree to half a per cent; decode steps after a second
/// of them, prompts after ten seconds of rest.
inline Result<TimedStep> time_step(const StepKind& kind, const Case& c, const CudaOptions& options) {
  const auto opened = CudaBackend::open(options);
  if (!opened) return failure(opened.error());
  CudaBackend& backend = **opened;
  const auto structure = compile(c.model(), c.plan);
  if (!structure) return failure(structure.error());
  const auto used = backend.prepare(c, *structure);
  if (!used) return failure(used.error());
  std::vector<Step> steps = workload_steps(c);
  const std::size_t first = kind.decodes() ? 1 : 0, last = kind.decodes() ? steps.size() : 1;
  const auto timer = backend.timer();
  std::vector<double> times;
  const auto run = [&](std::size_t i) -> Done {
    for (std::size_t s = 0; s < steps[i].slices.size(); ++s) {
      if (steps[i].slices[s].tokens.empty()) steps[i].slices[s].tokens = {backend.output().tokens[s]};
    }
    const auto time = timer->time(steps[i]);
    if (!time) return failure(time.error());
    times.push_back(std::chrono::duration<double>(*time).count());
    return std::monostate{};
  };
  const auto pass_over = [&]() -> Done {
    for (std::size_t i = first; i < last; ++i) {
      if (const Done done = run(i); !done) return done;
    }
    return std::monostate{};
  };
  // PyTorch compiles for half a minute before its prompts are timed, while the GPU cools, and a cooler one has
  // more of its power left for clocks.
  if (first == 0) std::this_thread::sleep_for(std::chrono::seconds{10});
  const std::size_t warm = std::max<std::size_t>(3, last);
  for (std::size_t i = 0; i < warm; ++i) {
    if (const Done done = run(std::min(i, last - 1)); !done) return failure(done.error());
  }
  // The prompts that fill its cache, which are no part of a decode step, leave the GPU at its limit of power.
  using Clock = std::chrono::steady_clock;
  for (const auto start = Clock::now(); first > 0 && Clock::now() - start < std::chrono::seconds{1};) {
    if (const Done done = pass_over(); !done) return failure(done.error());
  }
  times.clear();
  for (int pass = 0; pass < 12; ++pass) {
    if (const Done done = pass_over(); !done) return failure(done.error());
    const auto half = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
    if (times.size() < 8 || pass % 2 == 0) continue;  // halves of whole passes
    const double a = nearest_rank({times.begin(), half}, 0.5), b = nearest_rank({half, times.end()}, 0.5);
    if (std::abs(a - b) < 0.005 * a) break;
  }
  std::sort(times.begin(), times.end());
  return TimedStep{.features = features(steps[(first + last) / 2]),
                   .median = times[times.size() / 2],
                   .low = times[times.size() / 10],
                   .high = times[times.size() * 9 / 10],
                   .planned = memory_budget(c, *structure).total(),
                   .used = used->total()};
}

}  // namespace inferometer
