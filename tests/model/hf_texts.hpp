#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "model/hf_config.hpp"

namespace inferometer {

/// A small config.json of a family, one key a line. `edits` come first, from line 2 on, and take the place of
/// keys of the same name; "" as the family leaves `architectures` to the edits.
inline std::string hf_text(std::string_view family, const std::vector<std::string>& edits = {}) {
  std::vector<std::string> lines = edits;
  const auto add = [&](const std::string& line) {
    const std::string key = line.substr(0, line.find(':'));
    for (const std::string& edit : edits) {
      if (edit.substr(0, edit.find(':')) == key) return;
    }
    lines.push_back(line);
  };
  if (!family.empty()) add("\"architectures\": [\"" + std::string{family} + "ForCausalLM\"]");
  add("\"num_hidden_layers\": 4");
  add("\"hidden_size\": 64");
  add("\"num_attention_heads\": 8");
  add("\"num_key_value_heads\": 4");
  add("\"intermediate_size\": 96");
  add("\"vocab_size\": 100");
  if (family == "DeepseekV2") add("\"num_experts_per_tok\": 6");
  std::string text = "{";
  for (const std::string& line : lines) text += (text == "{" ? "\n" : ",\n") + line;
  return text + "\n}\n";
}

inline Result<Architecture> read_hf(std::string_view family, const std::vector<std::string>& edits = {}) {
  return read_hf_config(hf_text(family, edits), "config.json", "small");
}
/// All errors as they are told, "" where there is none.
inline std::string hf_errors(std::string_view family, const std::vector<std::string>& edits) {
  const Result<Architecture> a = read_hf(family, edits);
  return a ? "" : to_string(a.error());
}

}  // namespace inferometer
