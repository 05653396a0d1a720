#pragma once
#include <span>

#include "executor/cuda/launch_node.hpp"

namespace inferometer::cuda {

/// Where the operands of one node, and of those that run in its kernel, lie on the device.
struct NodeViews {
  const NodeContext& c;
  const StructureNode& node;
  std::span<const StructureNode> joined;  ///< nodes that run in this one's kernel, behind it

  const Buffer& buffer(const View& v) const {
    return c.structure.buffers[static_cast<std::size_t>(v.buffer)];
  }
  char* address(const View& v) const {
    const Bytes start = c.pass.memory.offset[static_cast<std::size_t>(v.buffer)];
    return c.arena + start.value + size_of(v.offset, buffer(v).dtype).value;
  }
  In in(std::size_t i) const {
    return {reinterpret_cast<const Bf16*>(address(node.reads[i])), buffer(node.reads[i]).columns};
  }
  Out out(std::size_t i) const {
    return {reinterpret_cast<Bf16*>(address(node.writes[i])), buffer(node.writes[i]).columns};
  }
  const Constant& constant(std::size_t i) const {
    return c.constants.all[static_cast<std::size_t>(node.weights[i])];
  }
  const Bf16* halves(std::size_t i) const { return reinterpret_cast<const Bf16*>(constant(i).data); }
  const float* floats(std::size_t i) const { return reinterpret_cast<const float*>(constant(i).data); }
  /// From one group of a view to the next.
  static std::int64_t step(const View& v) { return v.stride > 0 ? v.stride : v.columns / v.groups; }
};

}  // namespace inferometer::cuda
