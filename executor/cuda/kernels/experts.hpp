#pragma once
#include <cuda.h>

#include "executor/cuda/kernels/kernels.hpp"

// Mixtures of experts. How many tokens an expert has is known on the device only: nothing here waits for it
// on the host, so that steps can be recorded.
namespace inferometer::cuda {

inline constexpr std::int64_t most_experts = 1024, most_chosen = 32, most_expert_groups = 32;

/// Chooses top_k experts for each token, the largest first, the lower index first among equals; what the
/// fields mean is told in model/operators/moe.hpp.
/// logits [tokens, experts], `stride` from row to row   correction [experts] or null   ids, weights
/// [tokens, top_k]
/// requires experts <= most_experts, top_k <= most_chosen, groups <= most_expert_groups
struct RouterArguments {
  const float* logits = nullptr;
  std::int64_t stride = 0;
  const float* correction = nullptr;
  std::int32_t* ids = nullptr;
  float* weights = nullptr;
  std::int64_t tokens = 0;
  std::int32_t experts = 0, top_k = 0;
  bool softmax = true;  ///< else sigmoid
  bool softmax_after_top_k = false, normalize = false;
  std::int32_t groups = 1, top_groups = 1;
  std::int32_t ranked_by =
      0;  ///< a group is as good as its best member (1), or its best two (2); 0: no limit
  float scaling = 1.0F;
};
void route(const RouterArguments& a, const Queue& queue);

/// The (token, choice) pairs of a step, those of one expert next to each other. On the device.
struct ExpertGroups {
  std::int32_t* offsets = nullptr;  ///< [experts + 1]: where each expert's pairs begin
  std::int32_t* pairs = nullptr;    ///< token * top_k + choice, sorted by expert, then by pair
  std::int32_t* tokens = nullptr;   ///< pair / top_k, in the order of pairs
};
/// ids [tokens * top_k]
struct GroupArguments {
  const std::int32_t* ids = nullptr;
  std::int32_t rows = 0, experts = 0, top_k = 1;
  ExpertGroups groups;
};
void group_by_expert(const GroupArguments& a, const Queue& queue);

/// y[t] = sum_k weights[t, k] * x[t * top_k + k]   weights [tokens, top_k]; f32 sums
struct CombineArguments {
  In x;
  const float* weights = nullptr;
  Out y;
  std::int64_t tokens = 0, width = 0;
  std::int32_t top_k = 1;
};
void combine_experts(const CombineArguments& a, const Queue& queue);

/// y[pair] = x W[expert of the pair]ᵀ * x_scale * w_scales[expert] + bias[expert] for all pairs of a step.
/// x [rows, in] lies in the order of groups.pairs; W [experts, out, in]; y [rows, out] in that of the pairs.
struct ExpertProduct {
  ExpertGroups groups;
  Out y;
  const float* x_scale = nullptr;   ///< one value; null: 1
  const float* w_scales = nullptr;  ///< [experts]; null: 1
  const float* bias = nullptr;      ///< [experts, out]; null: 0
  std::int32_t experts = 0, in = 0, out = 0;
  std::int32_t tile = 8;  ///< expert_tile(): rows of x that are multiplied at a time
  bool fp8 = false;       ///< x and W in e4m3; else bf16
};
/// Boxes of the maps are 128 bytes wide; two e4m3 count as one element of them.
struct ExpertTiles {
  CUtensorMap w;                   ///< [experts * out, in], boxes of expert_box_rows rows
  CUtensorMap x;                   ///< [rows, in], boxes of ExpertProduct::tile rows
  float* partial = nullptr;        ///< expert_partials() floats
  std::uint32_t* flags = nullptr;  ///< [processors], zero before the first call, left zero
};
inline constexpr std::int32_t expert_box_rows = 64, most_expert_tile = 128;
/// Rows of x of a tile: 8, 16, 32, 64 or 128. One tile holds all that an expert is likely to have, so that
/// its weights are read once; who has more reads them again while they are cached.
constexpr std::int32_t expert_tile(std::int64_t tokens, std::int64_t top_k, std::int64_t experts) {
  const std::int64_t likely = 2 * tokens * top_k / experts + 8, most = tokens < likely ? tokens : likely;
  return most <= 8 ? 8 : most <= 16 ? 16 : most <= 32 ? 32 : most <= 64 ? 64 : most_expert_tile;
}
constexpr std::int64_t expert_partials(std::int64_t processors) {
  return processors * most_expert_tile * most_expert_tile;
}
/// One launch for all experts; weights of experts without tokens are not read. Compute capability 9.0.
/// requires rows of x and W that are multiples of 16 bytes, experts <= most_experts
void product_experts(const ExpertProduct& a, const ExpertTiles& tiles, const Queue& queue);

}  // namespace inferometer::cuda
