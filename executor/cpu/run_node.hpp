#pragma once
#include <span>
#include <vector>

#include "executor/cpu/constants.hpp"
#include "executor/cpu/state.hpp"
#include "executor/pass/pass.hpp"

namespace inferometer::cpu {

/// Memory that kernels need beside their operands; grows to the most that any step wanted.
struct Scratch {
  std::vector<float> attention;
  std::vector<char> expert_inputs, expert_outputs;
  std::vector<float> expert_scales;

  Bytes bytes() const {
    return Bytes{static_cast<std::int64_t>((attention.size() + expert_scales.size()) * sizeof(float) +
                                           expert_inputs.size() + expert_outputs.size())};
  }
};

/// Everything that a node of a pass touches.
struct NodeContext {
  const Structure& structure;
  const Pass& pass;
  const CachedState& state;
  std::span<const Constant> constants;
  std::span<const float> rope;  ///< [positions, rotary]
  char* arena = nullptr;
  Products& products;
  Scratch& scratch;
  std::int64_t threads = 1;
};

/// Runs node `index` of the structure.
void run_node(const NodeContext& context, std::size_t index);

}  // namespace inferometer::cpu
