#include <cmath>

#include "model/hf_reading.hpp"

namespace inferometer {
namespace {

void read_llama3(Reader& in, Rope& rope) {
  rope.scaling = RopeScaling::llama3;
  rope.low_freq_factor = read_positive(in, "low_freq_factor");
  rope.high_freq_factor = read_positive(in, "high_freq_factor");
  rope.original_max_positions = read_positive(in, "original_max_position_embeddings");
  if (in.has("low_freq_factor") && in.has("high_freq_factor") &&
      rope.high_freq_factor <= rope.low_freq_factor) {
    in.error("high_freq_factor", "must exceed low_freq_factor");
  }
}

void read_yarn(Reader& in, Rope& rope, const Architecture& a) {
  rope.scaling = RopeScaling::yarn;
  rope.beta_fast = read_positive(in, "beta_fast", 32);
  rope.beta_slow = read_positive(in, "beta_slow", 1);
  rope.original_max_positions =
      read_positive(in, "original_max_position_embeddings", static_cast<double>(a.max_positions));
  if (given(in, "attention_factor")) rope.attention_factor = read_positive(in, "attention_factor");
  rope.mscale = in.optional<double>("mscale", 0);
  rope.mscale_all_dim = in.optional<double>("mscale_all_dim", 0);
  rope.truncate = in.optional<bool>("truncate", true);
  if (rope.beta_fast < rope.beta_slow) in.error("beta_fast", "must not be below beta_slow");
  for (const char* key : {"mscale", "mscale_all_dim"}) {
    if (in.optional<double>(key, 0) < 0) in.error(key, "must not be negative");
  }
}

/// The rule and its parameters, from rope_scaling or rope_parameters.
void read_rule(Reader& in, Rope& rope, const Architecture& a) {
  const std::size_t told = in.errors().size();
  const std::string_view key = spelling(in, {"rope_type", "type"});
  const std::string rule = in.optional<std::string>(key, "default");
  if (in.errors().size() > told) return;
  if (rule == "llama3") {
    read_llama3(in, rope);
  } else if (rule == "yarn") {
    read_yarn(in, rope, a);
  } else if (rule == "linear") {
    rope.scaling = RopeScaling::linear;
  } else if (rule != "default") {
    in.error(key, in_quotes(rule) + " is not understood; expected default, linear, llama3 or yarn");
    return;
  }
  if (rope.scaling != RopeScaling::none) {
    rope.factor = read_positive(in, "factor");
    if (rope.factor < 1) in.error("factor", "must be at least 1");
  }
  in.reject_unknown_keys();
}

/// rope_theta and partial_rotary_factor stand at the top, inside rope_parameters, or in both alike.
double read_either(Reader& in, Reader* inner, std::string_view key, double otherwise) {
  const bool outside = given(in, key), inside = inner != nullptr && given(*inner, key);
  const double outer_value = outside ? read_positive(in, key) : otherwise;
  if (!inside) return outer_value;
  const double value = read_positive(*inner, key);
  if (outside && value != outer_value) inner->error(key, "contradicts the one outside rope_parameters");
  return value;
}

/// gpt-oss is scaled where its configuration does not say how.
void scale_as_gpt_oss(Rope& rope) {
  rope.scaling = RopeScaling::yarn;
  rope.factor = 32;
  rope.original_max_positions = 4096;
  rope.truncate = false;
}

void check_rotated(Reader& in, const HfFamily& family, Architecture& a) {
  double& part = a.rope.partial_factor;
  const std::int64_t rotated = static_cast<std::int64_t>(static_cast<double>(a.head_dim) * part);
  if (part > 1 || (family.latent && part != 1)) {
    in.error("partial_rotary_factor", family.latent
                                          ? "only 1 is understood; qk_rope_head_dim says how much is rotated"
                                          : "must be at most 1");
    part = 1;
  } else if (!family.latent && (rotated < 2 || rotated % 2 != 0)) {
    in.error(in.has("partial_rotary_factor") ? "partial_rotary_factor" : "head_dim",
             std::to_string(rotated) + " elements of each head are rotated; an even number is needed");
  }
}

}  // namespace

void read_rope(Reader& in, const HfFamily& family, Architecture& a) {
  const bool sizes_known = in.errors().empty();
  const bool old_spelling = given(in, "rope_scaling"), new_spelling = given(in, "rope_parameters");
  if (old_spelling && new_spelling)
    in.error("rope_parameters", "stands beside rope_scaling; one of the two is needed");
  std::optional<Reader> rule;
  if (old_spelling || new_spelling)
    rule = in.maybe_mapping(new_spelling ? "rope_parameters" : "rope_scaling");
  const std::size_t before = in.errors().size();
  a.rope.theta = read_either(in, rule ? &*rule : nullptr, "rope_theta", family.rope_theta);
  if (in.errors().size() == before && a.rope.theta <= 1) in.error("rope_theta", "must be above 1");
  a.rope.partial_factor = read_either(in, rule ? &*rule : nullptr, "partial_rotary_factor", 1);
  if (rule) {
    read_rule(*rule, a.rope, a);
  } else if (a.family == "GptOssForCausalLM") {
    // Versions of the class read null differently: as no scaling, and as the default.
    for (const char* key : {"rope_scaling", "rope_parameters"}) {
      if (in.has(key)) in.error(key, "is empty; the rule is needed, or no such key");
    }
    scale_as_gpt_oss(a.rope);
  }
  if (sizes_known) check_rotated(in, family, a);
  // DeepSeek rotates neighbouring pairs; V3's class has a key for it, V2's always does.
  a.rope.interleaved = family.latent;
  if (family.name == "DeepseekV3ForCausalLM") {
    a.rope.interleaved = in.optional<bool>("rope_interleave", true);
  } else if (family.latent) {
    expect_fixed(in, family, "rope_interleave", true);
  }
}

}  // namespace inferometer
