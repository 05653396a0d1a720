#pragma once
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "model/architecture.hpp"
#include "model/operators/attention.hpp"
#include "model/operators/moe.hpp"

namespace inferometer {

/// The spelling of each value of an enumeration, once: feeds readers, messages, docs and output.
template <class E>
struct Names;

template <>
struct Names<AttentionKernel> {
  static constexpr std::array list{std::pair{AttentionKernel::naive, std::string_view{"naive"}},
                                   std::pair{AttentionKernel::tiled, std::string_view{"tiled"}},
                                   std::pair{AttentionKernel::cudnn, std::string_view{"cudnn"}}};
};
template <>
struct Names<ExpertKernel> {
  static constexpr std::array list{std::pair{ExpertKernel::loop, std::string_view{"loop"}},
                                   std::pair{ExpertKernel::grouped, std::string_view{"grouped"}}};
};

template <class E>
concept Named = requires {
  Names<E>::list;
};

template <Named E>
constexpr std::string_view name(E value) {
  for (const auto& [entry, text] : Names<E>::list) {
    if (entry == value) return text;
  }
  return "?";
}
template <Named E>
constexpr std::optional<E> value_named(std::string_view text) {
  for (const auto& [entry, spelling] : Names<E>::list) {
    if (spelling == text) return entry;
  }
  return std::nullopt;
}
/// "naive, tiled": for messages that list what would have been right.
template <Named E>
std::string expected_names() {
  std::string all;
  for (const auto& [entry, text] : Names<E>::list) all += (all.empty() ? "" : ", ") + std::string{text};
  return all;
}

}  // namespace inferometer
