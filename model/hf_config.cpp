#include "model/hf_config.hpp"

#include <algorithm>
#include <cmath>

#include "model/hf_families.hpp"

namespace inferometer {
namespace {

const HfFamily* find_family(Reader& in) {
  std::string known;
  for (const HfFamily& f : hf_families) known += (known.empty() ? "" : ", ") + std::string{f.name};
  const auto names = in.list<std::string>("architectures");
  if (!in.errors().empty()) return nullptr;
  if (!names || names->size() != 1) {
    in.error("architectures", "one architecture is needed; known are " + known);
    return nullptr;
  }
  for (const HfFamily& f : hf_families) {
    if (f.name == names->front()) return &f;
  }
  in.error("architectures", "\"" + names->front() + "\" is not known; known are " + known);
  return nullptr;
}

void read_activation(Reader& in, Architecture& a) {
  const bool gpt_oss = a.family == "GptOssForCausalLM";
  const std::string act = in.optional<std::string>("hidden_act", "silu");
  a.activation = gpt_oss                      ? Activation::clamped_silu
                 : act == "gelu_pytorch_tanh" ? Activation::gelu_tanh
                                              : Activation::silu;
  if (act.empty() || act == "silu" || (act == "gelu_pytorch_tanh" && !gpt_oss)) return;
  in.error("hidden_act",
           "\"" + act + "\" is not understood; expected silu" + (gpt_oss ? "" : " or gelu_pytorch_tanh"));
}

void read_fixed(Reader& in, const HfFamily& family) {
  if (given(in, "pretraining_tp") && in.optional<std::int64_t>("pretraining_tp", 1) != 1) {
    in.error("pretraining_tp",
             "only 1 is understood; other values split products and change the order of additions");
  }
  if (!family.latent) expect_fixed(in, family, "rope_interleaved", false);
}

/// Refuses sizes that are each possible and together are not, so that counts stay inside 64 bits.
void check_size(Reader& in, const Architecture& a) {
  Architecture one = a;
  one.layers = 1;
  double most = 0;
  for (const bool sparse : {false, true}) {
    if (one.moe) one.moe->sparse_layer = {sparse};
    most = std::max(most, static_cast<double>(parameter_count(one)));
  }
  if (most * static_cast<double>(a.layers) <= hf_most::parameters) return;
  const int digits = static_cast<int>(std::log10(most * static_cast<double>(a.layers)));
  in.errors().push_back(
      {"these sizes make more than 10^" + std::to_string(digits) + " parameters; up to 10^13 are understood",
       in.where()});
}

}  // namespace

std::int64_t read_size(Reader& in, std::string_view key, const SizeRule& rule) {
  const bool absent = rule.null_is_absent ? !given(in, key) : !in.has(key);
  if (absent && rule.otherwise) {
    in.raw(key);
    return *rule.otherwise;
  }
  const std::size_t told = in.errors().size();
  const auto value = in.required<std::int64_t>(key);
  if (in.errors().size() > told) return std::max<std::int64_t>(1, rule.least);
  if (value >= rule.least && value <= rule.most) return value;
  in.error(key, std::to_string(value) + " is out of range; " + std::to_string(rule.least) + " to " +
                    std::to_string(rule.most) + " is possible");
  return std::max<std::int64_t>(1, rule.least);
}

double read_positive(Reader& in, std::string_view key, std::optional<double> otherwise) {
  const std::size_t told = in.errors().size();
  const double value = otherwise ? in.optional<double>(key, *otherwise) : in.required<double>(key);
  if (in.errors().size() > told) return 1;
  if (value > 0) return value;
  in.error(key, "must be positive");
  return 1;
}

std::string_view spelling(Reader& in, std::initializer_list<std::string_view> keys) {
  std::string_view found;
  for (const std::string_view key : keys) {
    if (!given(in, key)) continue;
    if (found.empty()) {
      found = key;
    } else if (in.raw(key)->scalar != in.raw(found)->scalar) {
      in.error(key, "contradicts " + std::string{found} + ", which means the same");
    }
  }
  return found.empty() ? *keys.begin() : found;
}

void expect_fixed(Reader& in, const HfFamily& family, std::string_view key, bool fixed) {
  if (!given(in, key)) return;
  const std::size_t told = in.errors().size();
  if (in.required<bool>(key) == fixed || in.errors().size() > told) return;
  in.error(key, std::string{family.name} + " does not read it, and is always as with " +
                    (fixed ? "true" : "false"));
}

Result<Architecture> read_hf_config(std::string_view json, const std::string& file, std::string name) {
  const Result<Document> document = parse_json(json, file);
  if (!document) return failure(document.error());
  Errors errors;
  Reader in(*document, "", errors);
  const HfFamily* family = errors.empty() ? find_family(in) : nullptr;
  if (family == nullptr) return failure(std::move(errors));
  Architecture a;
  a.name = std::move(name);
  a.family = family->name;
  a.layers = read_size(in, "num_hidden_layers", {.most = hf_most::layers});
  a.hidden = read_size(in, "hidden_size", {});
  a.vocab = read_size(in, "vocab_size", {.most = hf_most::vocab});
  a.max_positions = read_size(in, "max_position_embeddings",
                              {.most = hf_most::positions, .otherwise = family->max_positions});
  a.intermediate = read_size(in, "intermediate_size", {});
  a.norm_eps = read_positive(in, "rms_norm_eps", family->norm_eps);
  if (a.norm_eps > 1) in.error("rms_norm_eps", "must lie between 0 and 1");
  a.tied_embeddings = in.optional<bool>("tie_word_embeddings", false);
  read_activation(in, a);
  read_attention(in, *family, a);
  if (family->latent) read_latent(in, a);
  read_rope(in, *family, a);
  read_windows(in, *family, a);
  if (family->experts) read_experts(in, *family, a);
  read_weights(in, a);
  read_fixed(in, *family);
  for (const char* key : hf_ignored) in.raw(key);
  in.reject_unknown_keys();
  if (errors.empty()) check_size(in, a);
  if (!errors.empty()) return failure(std::move(errors));
  return a;
}

}  // namespace inferometer
