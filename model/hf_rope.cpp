#include <algorithm>

#include "model/hf_reading.hpp"

namespace inferometer {
namespace {

void read_llama3(Reader& in, Rope& rope) {
  rope.scaling = RopeScaling::llama3;
  rope.factor = in.required<double>("factor");
  rope.low_freq_factor = in.required<double>("low_freq_factor");
  rope.high_freq_factor = in.required<double>("high_freq_factor");
  rope.original_max_positions = in.required<double>("original_max_position_embeddings");
  if (rope.high_freq_factor <= rope.low_freq_factor)
    in.error("high_freq_factor", "must exceed low_freq_factor");
}

void read_yarn(Reader& in, Rope& rope, const Architecture& a) {
  rope.scaling = RopeScaling::yarn;
  rope.factor = in.required<double>("factor");
  rope.beta_fast = in.optional<double>("beta_fast", 32);
  rope.beta_slow = in.optional<double>("beta_slow", 1);
  rope.original_max_positions =
      in.optional<double>("original_max_position_embeddings", static_cast<double>(a.max_positions));
  rope.attention_factor = in.maybe<double>("attention_factor");
  rope.mscale = in.optional<double>("mscale", 0);
  rope.mscale_all_dim = in.optional<double>("mscale_all_dim", 0);
  rope.truncate = in.optional<bool>("truncate", true);
}

void read_scaling(Reader in, Rope& rope, const Architecture& a) {
  in.raw("rope_theta");
  in.raw("partial_rotary_factor");
  // The two spellings of the rule's name; both may stand, and then must agree.
  const auto type = in.maybe<std::string>("rope_type"), old_type = in.maybe<std::string>("type");
  if (type && old_type && *type != *old_type) in.error("type", "contradicts rope_type");
  const std::string rule = type ? *type : old_type.value_or("default");
  if (rule == "llama3") {
    read_llama3(in, rope);
  } else if (rule == "yarn") {
    read_yarn(in, rope, a);
  } else if (rule == "linear") {
    rope.scaling = RopeScaling::linear;
    rope.factor = in.required<double>("factor");
  } else if (rule != "default") {
    in.error(type ? "rope_type" : "type",
             "\"" + rule + "\" is not understood; expected default, linear, llama3 or yarn");
    return;
  }
  if (rope.scaling != RopeScaling::none && rope.factor < 1) in.error("factor", "must be at least 1");
  in.reject_unknown_keys();
}

bool is_null(const Document* value) { return value == nullptr || value->kind == Document::Kind::null; }

}  // namespace

void read_rope(Reader& in, const HfFamily& family, Architecture& a) {
  a.rope.theta = in.optional<double>("rope_theta", family.rope_theta);
  a.rope.partial_factor = in.optional<double>("partial_rotary_factor", 1.0);
  const bool old_spelling = !is_null(in.raw("rope_scaling")),
             new_spelling = !is_null(in.raw("rope_parameters"));
  if (old_spelling && new_spelling)
    in.error("rope_parameters", "stands beside rope_scaling; one of the two is needed");
  if (auto scaling = old_spelling ? in.maybe_mapping("rope_scaling") : std::nullopt)
    read_scaling(*scaling, a.rope, a);
  if (auto parameters = new_spelling ? in.maybe_mapping("rope_parameters") : std::nullopt) {
    a.rope.theta = parameters->optional<double>("rope_theta", a.rope.theta);
    a.rope.partial_factor = parameters->optional<double>("partial_rotary_factor", a.rope.partial_factor);
    read_scaling(*parameters, a.rope, a);
  }
  if (!(a.rope.theta > 0)) in.error("rope_theta", "must be positive");
  if (!(a.rope.partial_factor > 0 && a.rope.partial_factor <= 1)) {
    in.error("partial_rotary_factor", "must lie above 0 and be at most 1");
    a.rope.partial_factor = 1;
  }
  // DeepSeek rotates neighbouring pairs; transformers' V3 class has a key for it, V2 always does.
  a.rope.interleaved = family.latent && in.optional<bool>("rope_interleave", true);
}

void read_windows(Reader& in, const HfFamily&, Architecture& a) {
  const Document* size = in.raw("sliding_window");
  const bool has_window = !is_null(size);
  const auto layers = static_cast<std::size_t>(a.layers);
  const bool qwen = a.family.starts_with("Qwen");
  const bool used = qwen ? in.optional<bool>("use_sliding_window", false) : true;
  const std::int64_t first_windowed = qwen ? read_size(in, "max_window_layers", 28, 0) : 0;
  if (has_window) a.window = read_size(in, "sliding_window");
  const auto types = in.list<std::string>("layer_types");
  if (types && types->size() != layers) {
    in.error("layer_types",
             "has " + std::to_string(types->size()) + " entries for " + std::to_string(a.layers) + " layers");
    return;
  }
  if (types) {
    for (const std::string& type : *types) {
      if (type != "sliding_attention" && type != "full_attention") {
        in.error("layer_types",
                 "\"" + type + "\" is not understood; expected full_attention or sliding_attention");
        return;
      }
      a.windowed_layer.push_back(type == "sliding_attention");
    }
  } else if (a.family == "GptOssForCausalLM") {
    for (std::size_t l = 0; l < layers; ++l) a.windowed_layer.push_back(l % 2 == 0);
  } else if (has_window && used &&
             (qwen || a.family == "MistralForCausalLM" || a.family == "MixtralForCausalLM")) {
    for (std::size_t l = 0; l < layers; ++l)
      a.windowed_layer.push_back(static_cast<std::int64_t>(l) >= first_windowed);
  }
  if (qwen && !used) a.windowed_layer.clear();
  const bool any =
      std::find(a.windowed_layer.begin(), a.windowed_layer.end(), true) != a.windowed_layer.end();
  if (any && a.window == 0)
    in.error("layer_types", "asks for sliding windows, and there is no sliding_window");
  if (!any) {
    a.windowed_layer.clear();
    a.window = 0;
  }
}

}  // namespace inferometer
