#include "executor/cuda/kernels/choose.cuh"

namespace inferometer::cuda {
namespace {

constexpr int warps = 4, threads = warps * 32;

/// A warp per token.
__global__ void __launch_bounds__(threads) choose(RouterArguments a) {
  extern __shared__ float memory[];
  take_turn();
  const int warp = threadIdx.x / 32;
  const std::int64_t token = static_cast<std::int64_t>(blockIdx.x) * warps + warp;
  if (token < a.tokens) choose_experts(a, a.logits + token * a.stride, token, memory + warp * 2 * a.experts);
}

}  // namespace

void route(const RouterArguments& a, const Queue& queue) {
  launch(queue, &choose, blocks_for(a.tokens, warps), threads,
         static_cast<std::size_t>(warps) * 2 * static_cast<std::size_t>(a.experts) * sizeof(float), a);
}

}  // namespace inferometer::cuda
