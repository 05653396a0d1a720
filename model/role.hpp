#pragma once
#include <array>
#include <cstdint>

#include "model/names.hpp"

namespace inferometer {

/// What a node is for, whatever operator does it. Selectors of a Plan name these.
enum class Role : std::uint8_t {
  embed,
  norm,
  q,
  k,
  v,
  qkv,
  q_a,
  q_b,
  kv_a,
  absorb,
  expand,
  rope,
  kv_write,
  attention,
  o,
  gate,
  up,
  gate_up,
  activation,
  down,
  router,
  route,
  dispatch,
  expert_gate,
  expert_up,
  expert_gate_up,
  expert_activation,
  expert_down,
  collect,
  combine,
  shared_gate,
  shared_up,
  shared_gate_up,
  shared_activation,
  shared_down,
  quantize,
  add,
  all_reduce,
  hand_over,
  gather,
  lm_head,
  sample
};

template <>
struct Names<Role> {
  using N = std::pair<Role, std::string_view>;
  static constexpr std::array list{N{Role::embed, "embed"},
                                   N{Role::norm, "norm"},
                                   N{Role::q, "q"},
                                   N{Role::k, "k"},
                                   N{Role::v, "v"},
                                   N{Role::qkv, "qkv"},
                                   N{Role::q_a, "q_a"},
                                   N{Role::q_b, "q_b"},
                                   N{Role::kv_a, "kv_a"},
                                   N{Role::absorb, "absorb"},
                                   N{Role::expand, "expand"},
                                   N{Role::rope, "rope"},
                                   N{Role::kv_write, "kv_write"},
                                   N{Role::attention, "attention"},
                                   N{Role::o, "o"},
                                   N{Role::gate, "gate"},
                                   N{Role::up, "up"},
                                   N{Role::gate_up, "gate_up"},
                                   N{Role::activation, "activation"},
                                   N{Role::down, "down"},
                                   N{Role::router, "router"},
                                   N{Role::route, "route"},
                                   N{Role::dispatch, "dispatch"},
                                   N{Role::expert_gate, "expert_gate"},
                                   N{Role::expert_up, "expert_up"},
                                   N{Role::expert_gate_up, "expert_gate_up"},
                                   N{Role::expert_activation, "expert_activation"},
                                   N{Role::expert_down, "expert_down"},
                                   N{Role::collect, "collect"},
                                   N{Role::combine, "combine"},
                                   N{Role::shared_gate, "shared_gate"},
                                   N{Role::shared_up, "shared_up"},
                                   N{Role::shared_gate_up, "shared_gate_up"},
                                   N{Role::shared_activation, "shared_activation"},
                                   N{Role::shared_down, "shared_down"},
                                   N{Role::quantize, "quantize"},
                                   N{Role::add, "add"},
                                   N{Role::all_reduce, "all_reduce"},
                                   N{Role::hand_over, "hand_over"},
                                   N{Role::gather, "gather"},
                                   N{Role::lm_head, "lm_head"},
                                   N{Role::sample, "sample"}};
};

}  // namespace inferometer
