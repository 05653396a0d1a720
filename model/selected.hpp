#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/role.hpp"

namespace inferometer {

/// Whether a rule for `selector` covers `role`: "*" covers all, the name of a fused product covers its parts.
constexpr bool selects(std::string_view selector, Role role) {
  if (selector == "*" || selector == name(role)) return true;
  switch (role) {
    case Role::q:
    case Role::k:
    case Role::v:
      return selector == "qkv";
    case Role::gate:
    case Role::up:
      return selector == "gate_up";
    case Role::expert_gate:
    case Role::expert_up:
      return selector == "expert_gate_up";
    case Role::shared_gate:
    case Role::shared_up:
      return selector == "shared_gate_up";
    default:
      return false;
  }
}

/// A value with exceptions. Rules name a layer range, a role, or both; the last rule that matches wins.
///   "int8"                         everywhere
///   "int8 lm_head=bf16"            but the head in bf16
///   "int8 0-1/*=bf16 down=bf16"    but the first two layers, and every down projection, in bf16
template <class T>
struct Selected {
  struct Rule {
    std::int64_t first = 0, last = -1;  ///< layers, inclusive; last < first: any layer
    std::string role = "*";             ///< a role's name, or "*"
    T value{};
    friend bool operator==(const Rule&, const Rule&) = default;
  };
  T value{};
  std::vector<Rule> rules;

  Selected() = default;
  Selected(T v) : value(v) {}  // implicit: a plain value is the plain case
  friend bool operator==(const Selected&, const Selected&) = default;

  /// The value for `role` in `layer` (-1: outside the layers).
  T at(std::int64_t layer, Role role) const {
    T result = value;
    for (const Rule& rule : rules) {
      const bool here = rule.last < rule.first || (layer >= rule.first && layer <= rule.last);
      if (here && selects(rule.role, role)) result = rule.value;
    }
    return result;
  }
};

}  // namespace inferometer
