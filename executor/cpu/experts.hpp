#pragma once
#include <span>
#include <vector>

#include "executor/cpu/products.hpp"

namespace inferometer::cpu {

/// The (token, choice) pairs of a step, those of one expert next to each other.
struct ExpertGroups {
  std::vector<std::int32_t> pairs;    ///< token * top_k + choice, sorted by expert, then by pair
  std::vector<std::int64_t> offsets;  ///< [experts + 1]: where each expert's pairs begin
};
ExpertGroups group_by_expert(const std::int32_t* ids, std::int64_t pairs, std::int64_t experts);

/// One product per expert that has tokens: rows [offsets[e], offsets[e + 1]) of x times expert e's weights
/// into the same rows of y. x and y are in the order of `groups.pairs` (Kernels::gather and scatter bring
/// them there and back).   bias [experts, out] or null
void multiply_experts(Products& products, std::span<const PackedWeights> experts, const ExpertGroups& groups,
                      const ProductInput& x, const ProductOutput& y, const float* bias = nullptr);

}  // namespace inferometer::cpu
