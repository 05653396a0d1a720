#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "model/architecture.hpp"
#include "model/copy_beside.hpp"
#include "model/device.hpp"
#include "model/plan.hpp"
#include "model/serving.hpp"

namespace inferometer {

/// A static batch: `batch` equal requests that start together. Output lengths are pinned; end-of-text is
/// ignored.
struct Workload {
  std::int64_t batch = 1;
  std::int64_t prompt_tokens = 128;
  std::int64_t output_tokens = 16;  ///< the first comes from the prefill step, each other from a decode step
  CopyBeside copy_beside;           ///< with each step
};
template <class W, class Visit>
void workload_fields(W& workload, Visit&& visit) {
  visit("workload.batch", workload.batch, "requests that start together [sequences]");
  visit("workload.prompt_tokens", workload.prompt_tokens, "prompt length of each request [tokens]");
  visit("workload.output_tokens", workload.output_tokens, "tokens generated for each request");
  visit("workload.copy_beside.bytes", workload.copy_beside.bytes,
        "copied on a second stream beside each step, begun with it");
  visit("workload.copy_beside.direction", workload.copy_beside.direction,
        "whether that copy is within_device, to_host or from_host");
}

/// The sizes of a network that a what-if may change.
template <class A, class Visit>
void architecture_fields(A& architecture, Visit&& visit) {
  visit("architecture.layers", architecture.layers, "decoder layers");
  visit("architecture.hidden", architecture.hidden, "width of the residual stream");
  visit("architecture.heads", architecture.heads, "query heads");
  visit("architecture.kv_heads", architecture.kv_heads, "key and value heads");
  visit("architecture.head_dim", architecture.head_dim, "size of a head");
  visit("architecture.intermediate", architecture.intermediate, "width of the dense feed-forward block");
  visit("architecture.vocab", architecture.vocab, "vocabulary");
  visit("architecture.window", architecture.window, "sliding window of the windowed layers [tokens]");
}

/// Host costs of the serving engine around each pass, as data with a source.
struct Engine {
  Seconds per_step{0};
  Seconds per_sequence{0};
  Bytes memory_reserve{0};  ///< of the device, beside weights, activations and cache
  /// What sampling takes of memory at once, for each logit of its rows: copies in f32, sorted ones with their
  /// indices, probabilities. 0: the logits alone.
  std::int64_t sampler_bytes_per_logit = 0;
  std::string source = "none assumed";
};

/// Seeds of everything that is drawn; both paths read the same.
struct Draws {
  std::uint64_t seed = 1;
};

/// Everything that one run is made of.
struct Case {
  std::map<std::string, Architecture> models;  ///< by what they are for; "model" is the one that generates
  Cluster cluster;
  Workload workload;
  Plan plan;
  Serving serving;
  Engine engine;
  Draws draws;

  const Architecture& model() const { return models.at("model"); }
};

/// Visits every setting of a Case that a variant, or --set, may change.
template <class C, class Visit>
void case_fields(C& c, Visit&& visit) {
  fields(c.plan, visit);
  workload_fields(c.workload, visit);
  serving_fields(c.serving, visit);
  architecture_fields(c.models.at("model"), visit);
  visit("draws.seed", c.draws.seed, "seed of weights and prompts");
}

}  // namespace inferometer
