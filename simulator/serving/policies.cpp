#include "simulator/serving/policies.hpp"

#include <algorithm>
#include <array>

#include "model/result.hpp"

namespace inferometer {
namespace {

using Decodes = Agenda::Decodes;

Agenda static_batch(const QueueView& v, const Serving& s) {
  // What comes back from host memory decodes at once.
  return {.admit = v.decoding + v.prefilling == 0, .tokens = s.max_num_batched_tokens};
}

/// source  Yu et al., "Orca: A Distributed Serving System for Transformer-Based Generative Models", OSDI 2022
Agenda orca(const QueueView&, const Serving& s) { return {.tokens = s.max_num_batched_tokens}; }

/// source  vLLM's scheduler before version 1: a step is prompts or decodes, prompts first
Agenda vllm_v0(const QueueView&, const Serving& s) {
  return {.decodes = Decodes::without_prompts, .tokens = s.max_num_batched_tokens};
}

/// source  Agrawal et al., "Taming Throughput-Latency Tradeoff in LLM Inference with Sarathi-Serve", OSDI
///         2024, algorithm 3; vLLM's scheduler of version 1
Agenda decodes_then_chunks(const QueueView&, const Serving& s) {
  return {.tokens = s.max_num_batched_tokens};
}

/// source  Holmes et al., "DeepSpeed-FastGen", arXiv:2401.08671, as the survey arXiv 2404.14294 reads it: no
///         prompt joins while there are decodes enough
Agenda decode_first(const QueueView& v, const Serving& s) {
  const bool enough = v.decoding >= s.min_decodes;
  return {.prompts = !enough, .admit = !enough, .tokens = s.max_num_batched_tokens};
}

constexpr std::array list{
    Policy{BatchingPolicy::static_batch, "admit a batch when idle and run it until its last sequence ends",
           "helps offline work of equal lengths; with unequal ones the batch runs empty while others wait",
           false, &static_batch},
    Policy{BatchingPolicy::orca,
           "a step is all decodes and as many whole prompts as the budget of tokens holds",
           "keeps the batch full; a long prompt delays the tokens of all others", false, &orca},
    Policy{BatchingPolicy::vllm_v0, "a step is whole prompts while any can be admitted, else all decodes",
           "short time to first token; running sequences stall while prompts arrive", false, &vllm_v0},
    Policy{BatchingPolicy::vllm_v1,
           "one budget of tokens a step: decodes, then chunks of prompts, as many prompts as fit",
           "steady steps at high load; prompts take several steps where the budget is small", true,
           &decodes_then_chunks},
    Policy{BatchingPolicy::sarathi, "the same, which vLLM took up from Sarathi-Serve",
           "with a budget of 512 to 2048 tokens it bounds the time between tokens; a small budget reads the "
           "weights, and the keys before each chunk, more often",
           true, &decodes_then_chunks},
    Policy{BatchingPolicy::decode_first,
           "no prompt joins while min_decodes sequences decode; with fewer, as vllm-v1",
           "short time between tokens at high load; first tokens wait for others to end", true,
           &decode_first}};

}  // namespace

std::span<const Policy> policies() { return list; }

const Policy& policy_of(BatchingPolicy policy) {
  const auto found =
      std::find_if(list.begin(), list.end(), [&](const Policy& p) { return p.policy == policy; });
  require(found != list.end(), "a policy is not in the list");
  return *found;
}

}  // namespace inferometer
