#pragma once
#include <cstdint>

#include "model/names.hpp"
#include "model/units.hpp"

namespace inferometer {

/// Which sequences a step takes; simulator/serving/policies.cpp says how each decides.
enum class BatchingPolicy : std::uint8_t { static_batch, orca, vllm_v0, vllm_v1, sarathi, decode_first };
template <>
struct Names<BatchingPolicy> {
  static constexpr std::array list{std::pair{BatchingPolicy::static_batch, std::string_view{"static"}},
                                   std::pair{BatchingPolicy::orca, std::string_view{"orca"}},
                                   std::pair{BatchingPolicy::vllm_v0, std::string_view{"vllm-v0"}},
                                   std::pair{BatchingPolicy::vllm_v1, std::string_view{"vllm-v1"}},
                                   std::pair{BatchingPolicy::sarathi, std::string_view{"sarathi"}},
                                   std::pair{BatchingPolicy::decode_first, std::string_view{"decode-first"}}};
};

/// What an admitted sequence is given of the KV cache.
enum class KvAllocation : std::uint8_t {
  paged,         ///< blocks as tokens come (PagedAttention, arXiv 2309.06180)
  preallocated,  ///< all of max_model_len at once (FasterTransformer, Orca)
  predicted      ///< prompt and predicted output at once, twice the output where that was too little (S3,
                 ///< arXiv 2306.06000)
};
template <>
struct Names<KvAllocation> {
  static constexpr std::array list{std::pair{KvAllocation::paged, std::string_view{"paged"}},
                                   std::pair{KvAllocation::preallocated, std::string_view{"preallocated"}},
                                   std::pair{KvAllocation::predicted, std::string_view{"predicted"}}};
};

/// What happens to a sequence whose blocks others need.
enum class Preemption : std::uint8_t {
  recompute,  ///< its cache is dropped and computed again
  swap        ///< its cache goes to host memory and comes back
};
template <>
struct Names<Preemption> {
  static constexpr std::array list{std::pair{Preemption::recompute, std::string_view{"recompute"}},
                                   std::pair{Preemption::swap, std::string_view{"swap"}}};
};

/// Which replica a request goes to; simulator/serving/routers.cpp says how each decides.
enum class ReplicaRouter : std::uint8_t { round_robin, least_loaded, shortest_queue, prefix_aware };
template <>
struct Names<ReplicaRouter> {
  static constexpr std::array list{
      std::pair{ReplicaRouter::round_robin, std::string_view{"round-robin"}},
      std::pair{ReplicaRouter::least_loaded, std::string_view{"least-loaded"}},
      std::pair{ReplicaRouter::shortest_queue, std::string_view{"shortest-queue"}},
      std::pair{ReplicaRouter::prefix_aware, std::string_view{"prefix-aware"}}};
};

/// What the instances of a pool do with a request.
enum class PoolRole : std::uint8_t {
  both,     ///< all of it
  prefill,  ///< compute its prompt and make its first token
  decode    ///< make the other tokens, from a cache that a prefill pool has sent
};
template <>
struct Names<PoolRole> {
  static constexpr std::array list{std::pair{PoolRole::both, std::string_view{"both"}},
                                   std::pair{PoolRole::prefill, std::string_view{"prefill"}},
                                   std::pair{PoolRole::decode, std::string_view{"decode"}}};
};

/// When the cache of a prompt leaves the instance that computes it.
enum class KvOverlap : std::uint8_t {
  none,   ///< after the step that computes the last of it
  layers  ///< while that step runs, each layer when it is computed (Splitwise, arXiv 2311.18677)
};
template <>
struct Names<KvOverlap> {
  static constexpr std::array list{std::pair{KvOverlap::none, std::string_view{"none"}},
                                   std::pair{KvOverlap::layers, std::string_view{"layers"}}};
};

/// What the KV cache is sent over.
struct KvLink {
  BytesPerSecond bandwidth{0};  ///< of an instance, each way; 0: link_bandwidth of each of its devices
  Seconds latency{0};
  KvOverlap overlap = KvOverlap::none;
};

/// How requests are served: the engine's limits under the names that engines give them.
struct Serving {
  BatchingPolicy policy = BatchingPolicy::vllm_v1;
  std::int64_t max_num_seqs = 256;
  std::int64_t max_num_batched_tokens = 2048;
  std::int64_t max_model_len = 0;
  std::int64_t min_decodes = 128;
  KvAllocation allocation = KvAllocation::paged;
  Preemption preemption = Preemption::recompute;
  std::int64_t prediction_error_percent = 0;
  std::int64_t watermark_percent = 0;
  std::int64_t gpu_memory_utilization_percent = 90;
  std::int64_t kv_blocks = 0;
  bool prefix_caching = false;
  double load = 1;
  std::int64_t replicas = 1;
  ReplicaRouter router = ReplicaRouter::round_robin;
  KvLink kv_link;
};

template <class S, class Visit>
void serving_fields(S& serving, Visit&& visit) {
  visit("serving.policy", serving.policy, "which sequences a step takes");
  visit("serving.max_num_seqs", serving.max_num_seqs, "sequences that run at once, at most");
  visit(
      "serving.max_num_batched_tokens", serving.max_num_batched_tokens,
      "new tokens of a step, at most; what takes prompts whole (static, orca, vllm-v0) rejects longer ones");
  visit("serving.max_model_len", serving.max_model_len,
        "prompt and output of a request [tokens], at most; longer ones are rejected; 0: as many as the cache "
        "holds");
  visit("serving.min_decodes", serving.min_decodes,
        "policy decode-first: with so many decoding sequences no prompt joins them");
  visit("serving.allocation", serving.allocation, "what an admitted sequence is given of the KV cache");
  visit("serving.preemption", serving.preemption, "what happens to a sequence whose blocks others need");
  visit("serving.prediction_error_percent", serving.prediction_error_percent,
        "allocation predicted: standard deviation of predicted output lengths [% of the length]");
  visit("serving.watermark_percent", serving.watermark_percent,
        "blocks that admissions leave free [% of all blocks]");
  visit("serving.gpu_memory_utilization_percent", serving.gpu_memory_utilization_percent,
        "device memory that the engine uses [%]; what weights and activations leave of it is the KV cache");
  visit("serving.kv_blocks", serving.kv_blocks, "blocks of the KV cache; 0: computed from the memory budget");
  visit("serving.prefix_caching", serving.prefix_caching,
        "keep the blocks of prompts, and of what was preempted, until others need the room");
  visit("serving.load", serving.load,
        "requests arrive so many times as fast as the traffic says; sessions think as long");
  visit("serving.replicas", serving.replicas, "instances of the model behind the router");
  visit("serving.router", serving.router, "which replica a request goes to");
  visit("serving.kv_link.bandwidth", serving.kv_link.bandwidth,
        "pools: what an instance, with parallel.data each replica of attention in it, sends, or receives, of "
        "KV "
        "caches at most [B/s]; 0 B/s: what the links of its devices carry");
  visit("serving.kv_link.latency", serving.kv_link.latency, "pools: of one transfer of a cache [s]");
  visit("serving.kv_link.overlap", serving.kv_link.overlap,
        "pools: whether the cache leaves layer by layer while the prompt is computed, or after it");
}

}  // namespace inferometer
