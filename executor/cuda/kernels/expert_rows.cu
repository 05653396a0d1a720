#include "executor/cuda/kernels/device.cuh"
#include "executor/cuda/kernels/experts.hpp"

namespace inferometer::cuda {
namespace {

constexpr int threads = 256;

/// The sum of x over the block, for all threads.
template <int Warps>
__device__ int block_sum(int x, int* parts) {
  x = __reduce_add_sync(~0U, x);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = x;
  __syncthreads();
  int sum = 0;
#pragma unroll
  for (int w = 0; w < Warps; ++w) sum += parts[w];
  __syncthreads();
  return sum;
}

/// A block per expert goes through all ids, twice: what lies before its pairs, then its pairs in their order,
/// as many at a time as it has threads. No block needs another's result.
template <int Threads>
__global__ void __launch_bounds__(Threads) group(GroupArguments a) {
  constexpr int warps = Threads / 32;
  __shared__ int parts[warps];
  take_turn();
  const int expert = static_cast<int>(blockIdx.x);
  int before = 0, own = 0;
  for (int i = threadIdx.x; i < a.rows; i += Threads) {
    before += a.ids[i] < expert;
    own += a.ids[i] == expert;
  }
  int at = block_sum<warps>(before, parts);
  own = block_sum<warps>(own, parts);
  if (threadIdx.x == 0) {
    a.groups.offsets[expert] = at;
    if (expert + 1 == a.experts) a.groups.offsets[a.experts] = at + own;
  }
  if (own == 0) return;
  const int warp = threadIdx.x / 32;
  for (int from = 0; from < a.rows; from += Threads) {
    const int i = from + static_cast<int>(threadIdx.x);
    const bool mine = i < a.rows && a.ids[i] == expert;
    const unsigned in_warp = __ballot_sync(~0U, mine);
    if (threadIdx.x % 32 == 0) parts[warp] = __popc(in_warp);
    __syncthreads();
    int place = at + __popc(in_warp & ((1U << threadIdx.x % 32) - 1));
#pragma unroll
    for (int w = 0; w < warps; ++w) {
      place += w < warp ? parts[w] : 0;
      at += parts[w];
    }
    if (mine) {
      a.groups.pairs[place] = i;
      a.groups.tokens[place] = i / a.top_k;
    }
    __syncthreads();
  }
}

/// The products behind it read the groups before it has ended: it lets them start when it has waited itself.
__global__ void __launch_bounds__(threads) gather_rows(GatherArguments a) {
  wait_for_earlier();
  allow_next();
  const std::int64_t pieces = a.width / 8;
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (index >= a.count * pieces) return;
  const std::int64_t row = index / pieces, at = index % pieces * 8;
  *reinterpret_cast<Eight*>(a.y.data + row * a.y.stride + at) =
      *reinterpret_cast<const Eight*>(a.x.data + a.rows[row] * a.x.stride + at);
}

template <int Each>
__global__ void __launch_bounds__(threads) combine(CombineArguments a) {
  take_turn();
  struct alignas(Each * 2) Piece {
    Bf16 v[Each];
  };
  const std::int64_t pieces = a.width / Each;
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (index >= a.tokens * pieces) return;
  const std::int64_t token = index / pieces, at = index % pieces * Each;
  float sum[Each] = {};
  for (int k = 0; k < a.top_k; ++k) {
    const std::int64_t pair = token * a.top_k + k;
    const float weight = a.weights[pair];
    const Piece x = *reinterpret_cast<const Piece*>(a.x.data + pair * a.x.stride + at);
#pragma unroll
    for (int i = 0; i < Each; ++i) sum[i] = fmaf(weight, to_float(x.v[i]), sum[i]);
  }
  Piece y;
#pragma unroll
  for (int i = 0; i < Each; ++i) y.v[i] = to_bf16(sum[i]);
  *reinterpret_cast<Piece*>(a.y.data + token * a.y.stride + at) = y;
}

}  // namespace

void group_by_expert(const GroupArguments& a, const Queue& queue) {
  const auto start = [&](auto kernel, unsigned block) {
    launch(queue, kernel, static_cast<unsigned>(a.experts), block, 0, a);
  };
  // Each round of a block costs 0.7 us (measured on an H200): few pairs fit one round of few threads, and
  // many take as few rounds as a block can.
  a.rows <= threads ? start(&group<threads>, threads) : start(&group<1024>, 1024);
}

void gather_for_experts(const GatherArguments& a, const Queue& queue) {
  launch(queue, &gather_rows, blocks_for(a.count * a.width / 8, threads), threads, 0, a);
}

void combine_experts(const CombineArguments& a, const Queue& queue) {
  if (vectors(a.x, a.width) && vectors(a.y, a.width)) {
    launch(queue, &combine<8>, blocks_for(a.tokens * a.width / 8, threads), threads, 0, a);
  } else {
    launch(queue, &combine<1>, blocks_for(a.tokens * a.width, threads), threads, 0, a);
  }
}

}  // namespace inferometer::cuda
