#include "simulator/serving/server.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace inferometer {
namespace {

Errors check_limits(const Serving& s) {
  Errors errors;
  const auto in_range = [&](std::string_view what, std::int64_t value, std::int64_t least,
                            std::int64_t most) {
    if (value < least || value > most)
      errors.push_back({fmt::format("serving.{}: must be {} to {}, is {}", what, least, most, value)});
  };
  in_range("max_num_seqs", s.max_num_seqs, 1, 1'000'000);
  in_range("max_num_batched_tokens", s.max_num_batched_tokens, 1, 100'000'000);
  in_range("min_decodes", s.min_decodes, 1, 1'000'000);
  in_range("watermark_percent", s.watermark_percent, 0, 50);
  in_range("gpu_memory_utilization_percent", s.gpu_memory_utilization_percent, 1, 100);
  in_range("prediction_error_percent", s.prediction_error_percent, 0, 1000);
  in_range("replicas", s.replicas, 1, 100'000);
  if (!(s.load > 0)) errors.push_back({fmt::format("serving.load: must be above 0, is {}", s.load)});
  if (errors.empty() && s.max_num_batched_tokens < s.max_num_seqs)
    errors.push_back(
        {fmt::format("serving.max_num_batched_tokens: {} leaves no token for some of {} sequences "
                     "(serving.max_num_seqs)",
                     s.max_num_batched_tokens, s.max_num_seqs)});
  if (errors.empty() && s.policy == BatchingPolicy::decode_first && s.min_decodes > s.max_num_seqs)
    errors.push_back(
        {fmt::format("serving.min_decodes: {} sequences that decode are never reached with {} at once "
                     "(serving.max_num_seqs), so that policy decode-first would be vllm-v1",
                     s.min_decodes, s.max_num_seqs)});
  const double bandwidth = s.kv_link.bandwidth.value, latency = s.kv_link.latency.count();
  if (bandwidth != 0 && (bandwidth < 1e6 || bandwidth > 1e18))
    errors.push_back({"serving.kv_link.bandwidth: must be 1 MB/s to 1000000 TB/s, or 0 B/s"});
  if (latency > 1000) errors.push_back({"serving.kv_link.latency: must be 0 s to 1000 s"});
  if (s.allocation == KvAllocation::preallocated && s.max_model_len == 0)
    errors.push_back({"serving.max_model_len: allocation preallocated needs it"});
  if (s.preemption == Preemption::swap && s.allocation != KvAllocation::paged)
    errors.push_back({"serving.preemption: only blocks of allocation paged are swapped"});
  if (s.prefix_caching && s.allocation != KvAllocation::paged)
    errors.push_back({"serving.prefix_caching: only blocks of allocation paged are shared"});
  return errors;
}

}  // namespace

Errors check_serving(const Case& c) {
  Errors errors = check_limits(c.serving);
  if (c.serving.preemption == Preemption::swap && !c.cluster.device.host_link_bandwidth)
    errors.push_back({fmt::format("serving.preemption: {} has no host_link_bandwidth to swap over",
                                  c.cluster.device.name)});
  return errors;
}

BytesPerSecond kv_link_of(const Case& c) {
  if (c.serving.kv_link.bandwidth.value > 0) return c.serving.kv_link.bandwidth;
  const auto& link = c.cluster.device.link_bandwidth;
  return link ? static_cast<double>(c.plan.parallel.tensor) * link->value : BytesPerSecond{0};
}

Result<ServerSettings> server_of(const Case& c, const KvBudget& budget) {
  if (Errors errors = check_serving(c); !errors.empty()) return failure(std::move(errors));
  // Windowed layers keep less than a block's bytes of most tokens: engines state more blocks than fit in
  // full.
  const std::vector<bool>& windows = c.model().windowed_layer;
  const bool in_full = std::find(windows.begin(), windows.end(), true) == windows.end();
  if (budget.blocks < 1 || (in_full && budget.blocks > budget.fitting)) {
    constexpr double gib = 1 << 30;
    const auto in_gib = [](Bytes b) { return static_cast<double>(b.value) / gib; };
    const std::string asked =
        c.serving.kv_blocks == 0
            ? "no room for a KV cache"
            : fmt::format("serving.kv_blocks: {} blocks take {:.2f} GiB, and there is room for {}",
                          budget.blocks, in_gib(budget.blocks * budget.block), budget.fitting);
    return failure(
        fmt::format("{}: of {:.2f} GiB that the engine uses on {}, weights take "
                    "{:.2f}, activations {:.2f}, the engine {:.2f}",
                    asked, in_gib(budget.usable), c.cluster.device.name, in_gib(budget.weights),
                    in_gib(std::max(budget.activations, budget.sampler)), in_gib(budget.reserve)));
  }
  ServerSettings s{.replicas = c.serving.replicas,
                   .stages = c.plan.parallel.pipeline,
                   .ranks = c.plan.parallel.data,
                   .router = c.serving.router};
  s.instance.serving = c.serving;
  s.instance.kv_blocks = budget.blocks;
  s.instance.block_tokens = c.plan.kv.block_tokens;
  s.instance.seed = c.draws.seed;
  s.instance.block = budget.block;
  if (c.serving.preemption == Preemption::swap)
    s.instance.host_link = c.cluster.device.host_link_bandwidth->value;
  return s;
}

}  // namespace inferometer
