#include "model/memory_plan.hpp"

#include <algorithm>
#include <map>

namespace inferometer {
namespace {

constexpr std::int64_t alignment = 64;

struct Life {
  std::size_t first = SIZE_MAX, last = 0;
};

/// A kernel reads and writes until its last node has ended: buffers of all its nodes live together.
std::vector<Life> lives(const Structure& s, const Features& features) {
  std::vector<Life> all(s.buffers.size());
  for (std::size_t i = 0; i < s.nodes.size(); ++i) {
    const NodeRange kernel = kernel_of(s, i, features);
    for (const auto* views : {&s.nodes[i].reads, &s.nodes[i].writes}) {
      for (const View& view : *views) {
        Life& life = all[static_cast<std::size_t>(view.buffer)];
        life.first = std::min(life.first, kernel.first);
        life.last = std::max(life.last, kernel.last);
      }
    }
  }
  if (s.logits >= 0) all[static_cast<std::size_t>(s.logits)].last = s.nodes.size();  // read after the step
  return all;
}

}  // namespace

MemoryPlan plan_memory(const Structure& s, const Features& features) {
  MemoryPlan plan;
  plan.offset.resize(s.buffers.size());
  const std::vector<Life> life = lives(s, features);
  std::vector<std::size_t> order(s.buffers.size());
  for (std::size_t b = 0; b < order.size(); ++b) order[b] = b;
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return life[a].first < life[b].first; });
  std::map<std::int64_t, std::pair<std::int64_t, std::size_t>> live;  // start -> (end, last node)
  for (const std::size_t b : order) {
    const std::int64_t rows = row_count(s.buffers[b].rows, s, features);
    const std::int64_t bytes = size_of(rows * s.buffers[b].columns, s.buffers[b].dtype).value;
    const std::int64_t size = (bytes + alignment - 1) / alignment * alignment;
    std::erase_if(live, [&](const auto& entry) { return entry.second.second < life[b].first; });
    std::int64_t start = 0;
    for (const auto& [from, entry] : live) {
      if (from - start >= size) break;
      start = std::max(start, entry.first);
    }
    if (size > 0) live[start] = {start + size, life[b].last};
    plan.offset[b] = Bytes{start};
    plan.total = std::max(plan.total, Bytes{start + size});
  }
  return plan;
}

}  // namespace inferometer
