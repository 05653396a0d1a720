#include "executor/cuda/expert_scratch.hpp"

#include <algorithm>

namespace inferometer::cuda {

Result<ExpertScratch> make_expert_scratch(const Structure& structure, std::int64_t tokens, const Gpu& gpu) {
  std::int64_t experts = 0, top_k = 0, row = 0, loop_row = 0;  // rows [bytes]
  for (const StructureNode& node : structure.nodes) {
    const auto* product = std::get_if<ExpertLinear>(&node.op);
    if (product == nullptr) continue;
    experts = std::max(experts, product->experts);
    top_k = std::max(top_k, product->top_k);
    if (!product->per_assignment) row = std::max(row, size_of(product->in, product->x).value);
    if (product->per_assignment && product->kernel == ExpertKernel::loop)
      loop_row = std::max(loop_row, size_of(product->out, product->y).value);
  }
  ExpertScratch scratch;
  scratch.tokens = tokens;
  if (experts == 0) return scratch;
  Bytes total{0};
  const auto place = [&](std::int64_t bytes) { return place_part(total, Bytes{bytes}).value; };
  const std::int64_t offsets = place((experts + 1) * 4), pairs = place(tokens * top_k * 4),
                     of_tokens = place(tokens * top_k * 4), rows = place(tokens * top_k * row),
                     products = place(tokens * top_k * loop_row),
                     partial = place(expert_partials(gpu.processors) * 4);
  Result<DeviceBuffer> memory = DeviceBuffer::of(total);
  if (!memory) return failure(memory.error());
  scratch.memory = std::move(*memory);
  char* at = scratch.memory.data();
  scratch.groups = {.offsets = reinterpret_cast<std::int32_t*>(at + offsets),
                    .pairs = reinterpret_cast<std::int32_t*>(at + pairs),
                    .tokens = reinterpret_cast<std::int32_t*>(at + of_tokens)};
  scratch.rows = at + rows;
  if (loop_row > 0) scratch.products = reinterpret_cast<Bf16*>(at + products);
  scratch.partial = reinterpret_cast<float*>(at + partial);
  return scratch;
}

}  // namespace inferometer::cuda
