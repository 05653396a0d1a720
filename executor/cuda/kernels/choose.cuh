#pragma once
#include "executor/cuda/kernels/device.cuh"
#include "executor/cuda/kernels/experts.hpp"

// How a warp chooses the experts of one token.
namespace inferometer::cuda {

inline constexpr int nobody = 0x7fffffff;
/// What the reference gives to experts of groups that were not chosen.
inline constexpr float dropped = -1e30F;

/// A score and whose it is. NaN, which marks what was taken, is never better.
struct Ranked {
  float value = -INFINITY;
  int index = nobody;
};
__device__ __forceinline__ bool better(const Ranked& a, const Ranked& b) {
  return a.value > b.value || (a.value == b.value && a.index < b.index);
}
__device__ __forceinline__ Ranked warp_best(Ranked x) {
#pragma unroll
  for (int d = 16; d > 0; d /= 2) {
    const Ranked other{__shfl_xor_sync(~0U, x.value, d), __shfl_xor_sync(~0U, x.index, d)};
    if (better(other, x)) x = other;
  }
  return x;
}

/// exp(x - max) / sum over `count` values in shared memory.
__device__ inline void softmax(float* x, int count, int lane) {
  float top = -INFINITY, sum = 0;
  for (int e = lane; e < count; e += 32) top = fmaxf(top, x[e]);
  top = warp_max(top);
  for (int e = lane; e < count; e += 32) sum += x[e] = expf(x[e] - top);
  sum = warp_sum(sum);
  for (int e = lane; e < count; e += 32) x[e] /= sum;
}

/// Lane g ranks group g.
__device__ inline void keep_best_groups(const RouterArguments& a, float* choice, int lane) {
  const int size = a.experts / a.groups;
  Ranked mine{.value = -INFINITY, .index = lane};
  if (lane < a.groups) {
    float first = -INFINITY, second = -INFINITY;
    for (int i = 0; i < size; ++i) {
      const float v = choice[lane * size + i];
      second = fmaxf(second, fminf(first, v));
      first = fmaxf(first, v);
    }
    mine.value = a.ranked_by == 2 && size > 1 ? first + second : first;
  }
  int ahead = 0;
  for (int g = 0; g < a.groups; ++g) {
    const Ranked other{__shfl_sync(~0U, mine.value, g), g};
    ahead += better(other, mine);
  }
  if (lane >= a.groups || ahead < a.top_groups) return;
  for (int i = 0; i < size; ++i) choice[lane * size + i] = dropped;
}

/// Writes a token's ids and weights. All lanes of a warp; lane k returns its choice k, others nothing of use.
/// logits [experts]; scores, and what experts are chosen by: memory of 2 * experts floats in shared memory
__device__ inline int choose_experts(const RouterArguments& a, const float* logits, std::int64_t token,
                                     float* memory) {
  const int lane = threadIdx.x % 32;
  float* scores = memory;
  float* choice = scores + a.experts;
  for (int e = lane; e < a.experts; e += 32) {
    const float v = logits[e];
    scores[e] = isnan(v) ? -INFINITY : v;
  }
  if (!a.softmax) {
    for (int e = lane; e < a.experts; e += 32) scores[e] = 1.0F / (1.0F + expf(-scores[e]));
  } else if (!a.softmax_after_top_k) {
    softmax(scores, a.experts, lane);
  }
  for (int e = lane; e < a.experts; e += 32)
    choice[e] = scores[e] + (a.correction != nullptr ? a.correction[e] : 0.0F);
  __syncwarp();
  if (a.ranked_by > 0) keep_best_groups(a, choice, lane);
  __syncwarp();
  float weight = 0;
  int id = 0;
  for (int k = 0; k < a.top_k; ++k) {
    Ranked best;
    for (int e = lane; e < a.experts; e += 32) {
      const Ranked candidate{choice[e], e};
      if (better(candidate, best)) best = candidate;
    }
    best = warp_best(best);
    // Only where all scores are NaN is there no best one.
    const int chosen = best.index == nobody ? k : best.index;
    if (lane == k) {
      id = chosen;
      weight = scores[chosen];
    }
    __syncwarp();
    if (lane == 0) choice[chosen] = NAN;
    __syncwarp();
  }
  const bool mine = lane < a.top_k;
  if (a.softmax_after_top_k) {
    const float top = warp_max(mine ? weight : -INFINITY);
    const float power = mine ? expf(weight - top) : 0.0F;
    weight = power / warp_sum(power);
  } else {
    const float sum = warp_sum(mine ? weight : 0.0F);
    weight = weight * (a.normalize ? a.scaling / sum : a.scaling);
  }
  if (mine) {
    a.ids[token * a.top_k + lane] = id;
    a.weights[token * a.top_k + lane] = weight;
  }
  return id;
}

}  // namespace inferometer::cuda
