#pragma once
#include <string>
#include <string_view>

#include "model/architecture.hpp"
#include "model/result.hpp"

namespace inferometer {

/// Reads a Hugging Face config.json. Every key that the family's forward pass reads is understood, with the
/// family's default where it is absent (hf_families.hpp); a key that is not known is an error, because it may
/// change the result. Always needed: architectures, num_hidden_layers, hidden_size, num_attention_heads,
/// intermediate_size and vocab_size, which every published file has.
///
/// name    what the architecture is called from here on (the preset's or folder's name)
/// errors  at file:line:column: malformed JSON, an unknown architecture (the known ones are listed), unknown
///         keys, values that contradict each other, sizes out of range
/// source  the configuration and modelling files of Hugging Face transformers 4.57 to 5
[[nodiscard]] Result<Architecture> read_hf_config(std::string_view json, const std::string& file,
                                                  std::string name);

}  // namespace inferometer
