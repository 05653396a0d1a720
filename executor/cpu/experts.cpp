#include "executor/cpu/experts.hpp"

namespace inferometer::cpu {

ExpertGroups group_by_expert(const std::int32_t* ids, std::int64_t pairs, std::int64_t experts) {
  ExpertGroups groups{std::vector<std::int32_t>(static_cast<std::size_t>(pairs)),
                      std::vector<std::int64_t>(static_cast<std::size_t>(experts) + 1)};
  for (std::int64_t i = 0; i < pairs; ++i) ++groups.offsets[static_cast<std::size_t>(ids[i]) + 1];
  for (std::size_t e = 1; e < groups.offsets.size(); ++e) groups.offsets[e] += groups.offsets[e - 1];
  std::vector<std::int64_t> next = groups.offsets;
  for (std::int64_t i = 0; i < pairs; ++i) {
    groups.pairs[static_cast<std::size_t>(next[static_cast<std::size_t>(ids[i])]++)] =
        static_cast<std::int32_t>(i);
  }
  return groups;
}

void multiply_experts(Products& products, std::span<const PackedWeights> experts, const ExpertGroups& groups,
                      const ProductInput& x, const ProductOutput& y, const float* bias) {
  const auto at = [](auto* data, DType dtype, std::int64_t elements) {
    return reinterpret_cast<decltype(data)>(reinterpret_cast<std::uintptr_t>(data) +
                                            static_cast<std::uintptr_t>(size_of(elements, dtype).value));
  };
  for (std::size_t e = 0; e < experts.size(); ++e) {
    const std::int64_t first = groups.offsets[e], rows = groups.offsets[e + 1] - first;
    if (rows == 0) continue;
    products.multiply(experts[e],
                      {.data = at(x.data, x.dtype, first * x.stride),
                       .dtype = x.dtype,
                       .rows = rows,
                       .stride = x.stride,
                       .scales = x.scales == nullptr ? nullptr : x.scales + first},
                      {.data = at(y.data, y.dtype, first * y.stride), .dtype = y.dtype, .stride = y.stride},
                      bias == nullptr ? nullptr : bias + static_cast<std::int64_t>(e) * experts[e].out);
  }
}

}  // namespace inferometer::cpu
