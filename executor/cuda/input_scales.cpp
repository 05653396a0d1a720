#include "executor/cuda/input_scales.hpp"

#include <algorithm>

namespace inferometer::cuda {

Result<InputScales> InputScales::of(const Structure& structure) {
  InputScales scales;
  scales.wanted_ = std::any_of(structure.nodes.begin(), structure.nodes.end(),
                               [](const StructureNode& n) { return std::holds_alternative<Quantize>(n.op); });
  if (!scales.wanted_) return scales;
  const auto count = static_cast<std::int64_t>(structure.buffers.size());
  Result<DeviceBuffer> memory = DeviceBuffer::of(Bytes{count * apart});
  if (!memory) return failure(memory.error());
  scales.memory_ = std::move(*memory);
  return scales;
}

}  // namespace inferometer::cuda
