#include "executor/cuda/kernels/choose.cuh"
#include "executor/cuda/kernels/fp8.cuh"
#include "executor/cuda/kernels/hopper.cuh"

namespace inferometer::cuda {
namespace {

/// A cluster has a token: each of its blocks norms the row and multiplies it by every `cluster`th expert's
/// weights, and the first block chooses.
constexpr int threads = 256, warps = threads / 32, cluster = 8;
constexpr int most_each = static_cast<int>(most_experts) / cluster;

#ifdef INFEROMETER_HOPPER
__device__ __forceinline__ float dot(const Eight& a, const Eight& b, float sum) {
#pragma unroll
  for (int i = 0; i < 8; ++i) sum = fmaf(to_float(a.v[i]), to_float(b.v[i]), sum);
  return sum;
}

/// The choices of one token by expert. A warp, whose lane k has choice k.
__device__ void group_one(const ExpertGroups& groups, const RouterArguments& a, int id) {
  const int lane = threadIdx.x % 32;
  int place = 0;
  for (int k = 0; k < a.top_k; ++k) {
    const int other = __shfl_sync(~0U, id, k);
    place += other < id || (other == id && k < lane);
  }
  if (lane < a.top_k) {
    groups.pairs[place] = lane;
    groups.tokens[place] = 0;
  }
  for (int from = 0; from <= a.experts; from += 32) {
    int before = 0;
    for (int k = 0; k < a.top_k; ++k) before += __shfl_sync(~0U, id, k) < from + lane;
    if (from + lane <= a.experts) groups.offsets[from + lane] = before;
  }
}
#endif

/// Rows of at most 8 * threads * Pieces elements stay in registers. Dynamic shared memory: 3 * experts
/// floats.
template <int Pieces>
__global__ void __launch_bounds__(threads) norm_route_row(NormRouteArguments a) {
#ifdef INFEROMETER_HOPPER
  extern __shared__ float memory[];
  __shared__ float squares_of[warps], dots[most_each][warps];
  float* logits = memory;  // the first block's
  const AddRmsNormArguments& n = a.norm;
  const int rank = static_cast<int>(blockIdx.x) % cluster, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const std::int64_t token = blockIdx.x / cluster;
  allow_next();
  arrive_at_cluster();
  const auto place = [](int p) { return (p * threads + static_cast<int>(threadIdx.x)) * 8; };
  const auto expert_piece = [&](int e, int at) {
    return *reinterpret_cast<const Eight*>(a.w + static_cast<std::int64_t>(e) * n.width + at);
  };
  Eight norm_w[Pieces], first_w[Pieces];  // constant: fetched while the kernel before ends
#pragma unroll
  for (int p = 0; p < Pieces; ++p) {
    if (place(p) >= n.width) continue;
    norm_w[p] = *reinterpret_cast<const Eight*>(n.w + place(p));
    if (rank < a.router.experts) first_w[p] = expert_piece(rank, place(p));
  }
  wait_for_earlier();
  Eight y[Pieces];
  float squares = 0;
#pragma unroll
  for (int p = 0; p < Pieces; ++p) {
    const int at = place(p);
    if (at >= n.width) continue;
    y[p] = *reinterpret_cast<const Eight*>(n.x.data + token * n.x.stride + at);
    if (n.residual.data != nullptr) {
      const Eight r = *reinterpret_cast<const Eight*>(n.residual.data + token * n.residual.stride + at);
      y[p] = each(y[p], r, [](float u, float v) { return u + v; });
    }
    squares = dot(y[p], y[p], squares);
  }
  squares = warp_sum(squares);
  if (lane == 0) squares_of[warp] = squares;
  __syncthreads();
  squares = 0;
#pragma unroll
  for (int w = 0; w < warps; ++w) squares += squares_of[w];
  const float scale = rsqrtf(squares / static_cast<float>(n.width) + n.eps);
  const float factor = n.q.data != nullptr ? factor_of(n.q.scale) : 0;
  Eight sum[Pieces];
#pragma unroll
  for (int p = 0; p < Pieces; ++p) {
    sum[p] = y[p];
    y[p] = each(y[p], norm_w[p], [&](float v, float weight) { return v * scale * weight; });
  }
  for (int e = rank; e < a.router.experts; e += cluster) {
    float partial = 0;
#pragma unroll
    for (int p = 0; p < Pieces; ++p) {
      if (place(p) < n.width)
        partial = dot(y[p], e == rank ? first_w[p] : expert_piece(e, place(p)), partial);
    }
    partial = warp_sum(partial);
    if (lane == 0) dots[e / cluster][warp] = partial;
  }
  __syncthreads();
  wait_for_cluster();
  for (int e = rank + cluster * static_cast<int>(threadIdx.x); e < a.router.experts; e += cluster * threads) {
    float logit = a.bias != nullptr ? a.bias[e] : 0;
#pragma unroll
    for (int w = 0; w < warps; ++w) logit += dots[e / cluster][w];
    write_neighbour(logits + e, 0, logit);
  }
  __syncwarp();
  meet_cluster();  // all have read the row, which the sum may overwrite
  if (rank != 0) return;
#pragma unroll
  for (int p = 0; p < Pieces; ++p) {
    const int at = place(p);
    if (at >= n.width) continue;
    if (n.residual.data != nullptr)
      *reinterpret_cast<Eight*>(n.sum.data + token * n.sum.stride + at) = sum[p];
    *reinterpret_cast<Eight*>(n.y.data + token * n.y.stride + at) = y[p];
    if (n.q.data != nullptr)
      *reinterpret_cast<uint2*>(n.q.data + token * n.q.stride + at) = to_fp8(y[p], factor);
  }
  if (warp != 0) return;
  const int id = choose_experts(a.router, logits, token, memory + a.router.experts);
  if (n.tokens == 1) group_one(a.groups, a.router, id);
#endif
}

}  // namespace

bool norm_route_fits(std::int64_t width) { return width % 8 == 0 && width <= 32 * threads; }

void norm_route(const NormRouteArguments& a, const Queue& queue) {
  const std::int64_t width = a.norm.width;
  const auto kernel = width <= 8 * threads    ? &norm_route_row<1>
                      : width <= 16 * threads ? &norm_route_row<2>
                                              : &norm_route_row<4>;
  launch_clusters(queue, cluster, kernel, static_cast<unsigned>(a.norm.tokens) * cluster, threads,
                  static_cast<std::size_t>(a.router.experts) * 3 * sizeof(float), a);
  if (a.norm.tokens == 1) return;
  group_by_expert({.ids = a.router.ids,
                   .rows = static_cast<std::int32_t>(a.norm.tokens * a.router.top_k),
                   .experts = a.router.experts,
                   .top_k = a.router.top_k,
                   .groups = a.groups},
                  queue);
}

}  // namespace inferometer::cuda
