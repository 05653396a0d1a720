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

/// y[i] = x[rows[i]] of a.count rows. requires 16-byte aligned rows of a multiple of 16 bytes
void gather_for_experts(const GatherArguments& a, const Queue& queue);

/// What a norm, the product of its rows by the router's weights, the choice among the logits and the grouping
/// do, in one kernel but for the grouping of several tokens. Rows in bf16, logits in f32.
/// w [experts, norm.width]   bias [experts] or null   router.logits are not read and none are written
struct NormRouteArguments {
  AddRmsNormArguments norm;  ///< residual.data null: nothing is added, and no sum written; y is with q, too
  const Bf16* w = nullptr;
  const float* bias = nullptr;
  RouterArguments router;
  ExpertGroups groups;
};
/// Compute capability 9.0. requires norm_route_fits(width), 16-byte aligned rows (8-byte of q)
void norm_route(const NormRouteArguments& a, const Queue& queue);
bool norm_route_fits(std::int64_t width);

/// y[t] = sum_k weights[t, k] * x[t * top_k + k]   weights [tokens, top_k]; f32 sums
struct CombineArguments {
  In x;
  const float* weights = nullptr;
  Out y;
  std::int64_t tokens = 0, width = 0;
  std::int32_t top_k = 1;
};
void combine_experts(const CombineArguments& a, const Queue& queue);

/// y = x W[expert of the row]ᵀ * x_scale * w_scales[expert] + bias[expert] for all pairs of a step.
/// x [rows, in] and y [rows, out] lie in the order of groups.pairs; W [experts, out, in]
struct ExpertProduct {
  ExpertGroups groups;
  Out y;
  const float* x_scale = nullptr;   ///< one value; null: 1
  const float* w_scales = nullptr;  ///< [experts]; null: 1
  const float* bias = nullptr;      ///< [experts, out]; null: 0
  std::int32_t experts = 0, in = 0, out = 0;
  std::int32_t tile = 8;  ///< expert_tile(): rows of x that are multiplied at a time
  bool by_pair = false;   ///< y in the order of the pairs instead
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
/// With Queue::overlap weights are fetched before the kernel that makes x has ended, so that the groups must
/// be there: a kernel after the one that makes them, up to the one before this, allows its successor only
/// once all before it has ended, as gather_for_experts and this one do. requires rows of x and W that are
/// multiples of 16 bytes, experts <= most_experts
void product_experts(const ExpertProduct& a, const ExpertTiles& tiles, const Queue& queue);

/// A whole mixture for one token: y = sum_k weights[k] W_down[ids[k]] h_k, where h_k = SiLU(g) * u of the
/// halves g, u of W_gate_up[ids[k]] x. Rounded to bf16, and in fp8 quantised, wherever kernels of their own
/// would store it.
/// x [out]   gate_up [experts, 2 * width, out]   down [experts, out, width]   ids, weights [top_k]   y [out]
struct OneTokenExperts {
  const void* x = nullptr;
  const std::int32_t* ids = nullptr;
  const float* weights = nullptr;
  const void *gate_up = nullptr, *down = nullptr;
  const float *x_scale = nullptr, *h_scale = nullptr;             ///< [1]; read where fp8
  const float *gate_up_scales = nullptr, *down_scales = nullptr;  ///< [experts]; read where fp8
  void* h = nullptr;                                              ///< [top_k, width], dense
  Bf16* y = nullptr;
  std::uint32_t* counters = nullptr;  ///< [2], zero before the first call, left zero
  std::int32_t top_k = 0, width = 0, out = 0;
  bool fp8 = false;  ///< x, h and weights in e4m3; else bf16
};
/// One launch, whose stream of weights does not stop between the two products. Compute capability 9.0.
/// requires one_token_experts_fit(), 16-byte aligned operands, finite weights
void one_token_experts(const OneTokenExperts& a, const Queue& queue);
/// Whether rows are multiples of 16 bytes and what is multiplied, in 2 bytes a value, leaves room for the
/// stream. The numbers are those of OneTokenExperts.
bool one_token_experts_fit(std::int64_t out, std::int64_t width, std::int64_t top_k, bool fp8);

}  // namespace inferometer::cuda
