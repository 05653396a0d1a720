#include "model/hf_config.hpp"

#include <algorithm>
#include <array>

#include "model/hf_reading.hpp"

namespace inferometer {
namespace {

constexpr std::array families{
    HfFamily{"LlamaForCausalLM", false, false, false, false, false, 1e-6, 1e4, false},
    HfFamily{"MistralForCausalLM", false, false, false, false, false, 1e-6, 1e4, false},
    HfFamily{"Qwen2ForCausalLM", true, false, false, false, false, 1e-6, 1e4, false},
    HfFamily{"Qwen3ForCausalLM", false, false, true, false, false, 1e-6, 1e4, false},
    HfFamily{"MixtralForCausalLM", false, false, false, true, false, 1e-5, 1e6, false},
    HfFamily{"Qwen3MoeForCausalLM", false, false, true, true, false, 1e-6, 1e4, false},
    HfFamily{"GptOssForCausalLM", true, true, false, true, false, 1e-5, 1.5e5, false},
    HfFamily{"DeepseekV2ForCausalLM", false, false, false, true, true, 1e-6, 1e4, false},
    HfFamily{"DeepseekV3ForCausalLM", false, false, false, true, true, 1e-6, 1e4, false},
};

/// Keys that tell about files, training or generation and change nothing in the forward pass.
constexpr std::array ignored{
    "_name_or_path",
    "add_cross_attention",
    "attention_dropout",
    "aux_loss_alpha",
    "auto_map",
    "bos_token_id",
    "chunk_size_feed_forward",
    "classifier_dropout",
    "dtype_note",
    "eos_token_id",
    "ep_size",
    "experts_per_token",
    "hidden_dropout",
    "id2label",
    "initial_context_length",
    "initializer_range",
    "is_decoder",
    "is_encoder_decoder",
    "is_llama_config",
    "keys_to_ignore_at_inference",
    "label2id",
    "max_length",
    "model_type",
    "num_nextn_predict_layers",
    "output_attentions",
    "output_hidden_states",
    "output_router_logits",
    "pad_token_id",
    "problem_type",
    "return_dict",
    "rope_interleaved",
    "router_aux_loss_coef",
    "router_jitter_noise",
    "seq_aux",
    "swiglu_limit",
    "task_specific_params",
    "transformers.js_config",
    "transformers_version",
    "use_cache",
    "_attn_implementation",
    "_experts_implementation",
};

const HfFamily* find_family(Reader& in) {
  const auto names = in.list<std::string>("architectures");
  std::string known;
  for (const HfFamily& f : families) known += (known.empty() ? "" : ", ") + std::string{f.name};
  if (!names || names->size() != 1) {
    in.error("architectures", "one architecture is needed; known are " + known);
    return nullptr;
  }
  for (const HfFamily& f : families) {
    if (f.name == names->front()) return &f;
  }
  in.error("architectures", "\"" + names->front() + "\" is not known; known are " + known);
  return nullptr;
}

void read_activation(Reader& in, Architecture& a) {
  const std::string act = in.optional<std::string>("hidden_act", "silu");
  if (a.family == "GptOssForCausalLM") {
    a.activation = Activation::clamped_silu;
    if (act != "silu") in.error("hidden_act", "\"" + act + "\" is not understood for gpt-oss; expected silu");
  } else if (act == "silu" || act == "swish") {
    a.activation = Activation::silu;
  } else if (act == "gelu_pytorch_tanh") {
    a.activation = Activation::gelu_tanh;
  } else {
    in.error("hidden_act", "\"" + act + "\" is not understood; expected silu or gelu_pytorch_tanh");
  }
}

/// The published weights' format: torch_dtype or dtype, unless a quantization_config says otherwise.
void read_dtype(Reader& in, Architecture& a) {
  for (const std::string_view key : {"torch_dtype", "dtype"}) {
    const auto text = in.maybe<std::string>(key);
    if (!text) continue;
    if (*text == "float32") {
      a.dtype = DType::f32;
    } else if (*text == "float16") {
      a.dtype = DType::f16;
    } else if (*text == "bfloat16") {
      a.dtype = DType::bf16;
    } else {
      in.error(key, "\"" + *text + "\" is not understood; expected float32, float16 or bfloat16");
    }
  }
  auto quantization = in.maybe_mapping("quantization_config");
  if (!quantization) return;
  const std::string method = quantization->required<std::string>("quant_method");
  if (method == "fp8") {
    a.dtype = DType::fp8;
  } else if (method == "mxfp4") {
    a.dtype = DType::mxfp4;
  } else if (!method.empty()) {
    quantization->error("quant_method", "\"" + method + "\" is not understood; expected fp8 or mxfp4");
  }
}

void read_attention(Reader& in, const HfFamily& family, Architecture& a) {
  a.heads = read_size(in, "num_attention_heads");
  a.kv_heads = read_size(in, "num_key_value_heads", a.heads);
  const bool divides = a.hidden % a.heads == 0;
  if (!in.has("head_dim") && !family.latent && !divides && a.family != "GptOssForCausalLM") {
    in.error("num_attention_heads", std::to_string(a.heads) + " does not divide hidden_size " +
                                        std::to_string(a.hidden) + ", and there is no head_dim");
  }
  const std::int64_t plain = a.family == "Qwen3ForCausalLM" ? 128
                             : a.family == "GptOssForCausalLM"
                                 ? 64
                                 : std::max<std::int64_t>(1, a.hidden / a.heads);
  const Document* explicit_dim = in.raw("head_dim");
  a.head_dim = explicit_dim == nullptr || explicit_dim->kind == Document::Kind::null
                   ? plain
                   : read_size(in, "head_dim");
  if (!family.latent && a.heads % a.kv_heads != 0) {
    in.error("num_key_value_heads",
             std::to_string(a.kv_heads) + " does not divide num_attention_heads " + std::to_string(a.heads));
  }
  const auto bias = in.maybe<bool>("attention_bias");
  a.qkv_bias = bias.value_or(family.qkv_bias);
  // Qwen2 has no attention_bias key: its queries, keys and values have a bias and its output has none.
  a.o_bias = a.family == "Qwen2ForCausalLM" ? false : bias.value_or(family.o_bias);
  a.mlp_bias = in.optional<bool>("mlp_bias", false);
  a.qk_norm = family.qk_norm;
  a.attention_sinks = a.family == "GptOssForCausalLM";
}

}  // namespace

std::int64_t read_size(Reader& in, std::string_view key, std::optional<std::int64_t> otherwise,
                       std::int64_t least) {
  constexpr std::int64_t most = 100'000'000;
  const std::int64_t value =
      otherwise ? in.optional<std::int64_t>(key, *otherwise) : in.required<std::int64_t>(key);
  if (value >= least && value <= most) return value;
  if (in.has(key)) {
    const std::size_t told = in.errors().size();
    in.error(key, std::to_string(value) + " is out of range; " + std::to_string(least) +
                      " to 100000000 is possible");
    // The value was not a number at all: that has been told already.
    if (told > 0 && value == 0 && in.errors()[told - 1].where.line == in.errors()[told].where.line &&
        in.errors()[told - 1].where.column == in.errors()[told].where.column) {
      in.errors().pop_back();
    }
  }
  return std::max<std::int64_t>(1, least);
}

Result<Architecture> read_hf_config(std::string_view json, const std::string& file, std::string name) {
  const Result<Document> document = parse_json(json, file);
  if (!document) return failure(document.error());
  Errors errors;
  Reader in(*document, "", errors);
  const HfFamily* family = find_family(in);
  if (family == nullptr) return failure(std::move(errors));
  Architecture a;
  a.name = std::move(name);
  a.family = family->name;
  a.layers = read_size(in, "num_hidden_layers");
  if (a.layers > 10'000)
    in.error("num_hidden_layers", std::to_string(a.layers) + " is out of range; 1 to 10000 is possible");
  a.hidden = read_size(in, "hidden_size");
  a.vocab = read_size(in, "vocab_size");
  a.max_positions = read_size(in, "max_position_embeddings", 2048);
  a.intermediate = read_size(in, "intermediate_size");
  a.norm_eps = in.optional<double>("rms_norm_eps", family->norm_eps);
  if (!(a.norm_eps > 0 && a.norm_eps < 1)) in.error("rms_norm_eps", "must lie between 0 and 1");
  a.tied_embeddings = in.optional<bool>("tie_word_embeddings", family->tied);
  read_activation(in, a);
  read_attention(in, *family, a);
  if (family->latent) read_latent(in, a);
  read_rope(in, *family, a);
  a.layers = std::min<std::int64_t>(a.layers, 10'000);
  read_windows(in, *family, a);
  if (family->experts) read_experts(in, *family, a);
  read_dtype(in, a);
  if (const auto tp = in.maybe<std::int64_t>("pretraining_tp"); tp && *tp != 1) {
    in.error("pretraining_tp",
             "only 1 is understood; other values split products and change the order of additions");
  }
  for (const char* key : ignored) in.raw(key);
  in.reject_unknown_keys();
  if (!errors.empty()) return failure(std::move(errors));
  return a;
}

}  // namespace inferometer
