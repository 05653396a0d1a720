#include "executor/cuda/kernels/flags.cuh"
#include "executor/cuda/kernels/int4_multiply.cuh"

namespace inferometer::cuda {
namespace {

using namespace int4_streaming;

#ifdef INFEROMETER_HOPPER
/// Of a piece this lane's sums of all sets for the even or odd tokens: of its first row and the one 8 below.
template <int N, int P>
__device__ __forceinline__ float2 sum_of(const Shared<N, P>& shared, int piece, unsigned odd) {
  const int lane = threadIdx.x % 32;
  float2 sum{};
#pragma unroll
  for (int s = 0; s < Shape<N, P>::sets; ++s) {
    sum.x += shared.sums[s][piece][odd][lane];
    sum.y += shared.sums[s][piece][2 + odd][lane];
  }
  return sum;
}

/// What one warp ends: two pieces, in the two halves of the rows of a tile, of the tokens that are this
/// block's. The other block's sums are waited for when the next tile has been multiplied.
struct Kept {
  float2 own[2];
  int tile = -1;
};
/// Scales of the rows of sums, by a warp.
template <int N, int P>
__device__ __forceinline__ void find_row_scales(Shared<N, P>& shared, const Arguments& a) {
  constexpr int lanes = 32 / N;  // of a token
  const int lane = static_cast<int>(threadIdx.x) % 32, token = lane / lanes;
  float scale = 1;
  if (a.norms.in.squares != nullptr) {
    const int parts = static_cast<int>(norm_parts(a.product.in));
    const float* row = a.norms.in.squares + min(token, a.product.tokens - 1) * parts;
    float sum = 0;
#pragma unroll 8
    for (int i = lane % lanes * 4; i < parts; i += lanes * 4) {
      const float4 four = *reinterpret_cast<const float4*>(row + i);
      sum += four.x + four.y + four.z + four.w;
    }
    sum = warp_sum<lanes>(sum);
    scale = rsqrtf(sum / static_cast<float>(a.product.in) + a.norms.in.eps);
  }
  if (lane % lanes == 0) shared.row_scale[token] = scale;
  __syncwarp();
  if (lane == 0) arrive(&shared.scaled);
}
/// Parts behind those of the tiles, by a warp.
template <int P>
__device__ __forceinline__ void clear_parts(const Arguments& a, int tiles) {
  const int parts = static_cast<int>(norm_parts(a.product.out)), used = tiles * P;
  for (int token = 0; token < a.product.tokens; ++token) {
    for (int i = used + static_cast<int>(threadIdx.x) % 32; i < parts; i += 32)
      a.norms.out.squares[token * parts + i] = 0;
  }
}

/// Rows `row` and `row` + 8 of the token become its norm's, but for the scale.
struct NormedPair {
  float residual[2] = {}, weight[2] = {};

  __device__ __forceinline__ void fetch(const Arguments& a, std::int64_t row, int token) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const std::int64_t at = row + 8 * i;
      if (at >= a.product.out || token >= a.product.tokens) continue;
      residual[i] = to_float(a.norms.out.residual[token * a.norms.out.residual_stride + at]);
      weight[i] = to_float(a.norms.out.weight[at]);
    }
  }
  /// returns the sum of their squares
  __device__ __forceinline__ float store_both(const Arguments& a, std::int64_t row, int token,
                                              float2 y) const {
    float squares = 0;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const std::int64_t at = row + 8 * i;
      if (at >= a.product.out || token >= a.product.tokens) continue;
      const Bf16 sum = to_bf16(to_float(to_bf16(i == 0 ? y.x : y.y)) + residual[i]);
      a.norms.out.sum[token * a.norms.out.sum_stride + at] = sum;
      store(a.product, at, token, to_float(sum) * weight[i]);
      squares += to_float(sum) * to_float(sum);
    }
    return squares;
  }
};

/// Over the lanes of a token, which are four apart.
__device__ __forceinline__ float sum_of_rows(float x) {
#pragma unroll
  for (int apart = 4; apart < 32; apart *= 2) x += __shfl_xor_sync(~0U, x, apart);
  return x;
}

/// Normed: a residual norm runs in the product.
template <bool Normed, int N, int P>
__device__ __forceinline__ void end(Shared<N, P>& shared, const Arguments& a, const Kept& kept, int piece,
                                    unsigned turn) {
  using S = Shape<N, P>;
  const int lane = threadIdx.x % 32;
  const int token = piece % S::tiles * 8 + lane % 4 * 2 + static_cast<int>(blockIdx.x % pair);
  const std::int64_t row = kept.tile * (a.gated ? 16 * P : 32 * P) + piece / S::tiles * 16 + lane / 4;
  NormedPair pairs[2];
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    if constexpr (Normed) pairs[i].fetch(a, row + i * P * 16, token);
  }
  wait(&shared.scaled, 0);
  wait_for_neighbours(shared.arrived + turn % 2, turn / 2 % 2);
  const float scale = shared.row_scale[token];
  float2 y[2];
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const float2 other = shared.received[turn % 2][piece + i * (S::pieces / 2)][lane];
    y[i] = {(kept.own[i].x + other.x) * scale, (kept.own[i].y + other.y) * scale};
  }
  const auto store_pair = [&](std::int64_t at, float2 both) {
    store(a.product, at, token, both.x);
    store(a.product, at + 8, token, both.y);
  };
  if (a.gated) {
    const auto both = [](float gate, float up) {
      return gate_silu(to_float(to_bf16(gate)), to_float(to_bf16(up)));
    };
    store_pair(row, {both(y[0].x, y[1].x), both(y[0].y, y[1].y)});
    return;
  }
  if constexpr (Normed) {
    const float squares = sum_of_rows(pairs[0].store_both(a, row, token, y[0]) +
                                      pairs[1].store_both(a, row + P * 16, token, y[1]));
    const std::int64_t part = kept.tile * P + piece / S::tiles;
    if (lane < 4 && token < a.product.tokens)
      a.norms.out.squares[token * norm_parts(a.product.out) + part] = squares;
  } else {
    store_pair(row, y[0]);
    store_pair(row + P * 16, y[1]);
  }
}
#endif

template <bool Normed, int N, int P>
__global__ void __launch_bounds__(Shape<N, P>::threads, 1)
    stream(const __grid_constant__ CUtensorMap map, const __grid_constant__ Arguments a) {
#ifdef INFEROMETER_HOPPER
  using S = Shape<N, P>;
  extern __shared__ unsigned char memory[];
  // Offset, not cast, so that the compiler knows that it is shared memory.
  auto& shared = *reinterpret_cast<Shared<N, P>*>(memory + (1024 - shared_address(memory) % 1024) % 1024);
  const Work<P> work(a);
  const int warp = warp_index(), lane = static_cast<int>(threadIdx.x) % 32;
  allow_next();
  // By all warps: one takes as long for them as the first weights are on their way.
  if (elect()) {
    constexpr int warps = S::threads / 32;
    make_barriers(shared.of_w.full, shared.of_w.empty, warp, S::w_depth, P, warps);
    make_barriers(shared.of_x.full, shared.of_x.empty, warp, S::x_depth, P + S::sums_x, warps);
    if (S::sums_x && warp < S::x_depth) init_barrier(shared.summed + warp, 1);
    if (warp == 0) {
      init_barrier(shared.arrived, 1);
      init_barrier(shared.arrived + 1, 1);
      init_barrier(&shared.scaled, 1);
    }
    publish_barriers();
  }
  __syncthreads();
  arrive_at_cluster();
  if (warp == S::warps) return load_w(shared, a, work);
  if (warp > S::warps)
    return load_x(
        shared, map, work, [&](int stage, unsigned phase) { sum_tokens(shared, stage, phase); },
        [&] {
          find_row_scales(shared, a);
          if (Normed && blockIdx.x == 0) clear_parts<P>(a, work.tiles);
        });
  wait_for_earlier();
  wait_for_cluster();
  const unsigned rank = blockIdx.x % pair;
  const int set = warp / P, part = warp % P;
  int mine = set;  // of a tile's groups, the first that is this set's
  Place<S::w_depth, S::sets> at_w{set};
  Place<S::x_depth, S::sets> at_x{set};
  unsigned turn = 0;
  Kept kept[S::tasks];
  const auto end_kept = [&] {
#pragma unroll
    for (int t = 0; t < S::tasks; ++t) {
      if (kept[t].tile >= 0) end<Normed>(shared, a, kept[t], warp + t * S::warps, turn - 1);
    }
  };
  for (int tile = static_cast<int>(blockIdx.x) / pair; tile < work.tiles; tile += gridDim.x / pair, ++turn) {
    float total[2 * S::tiles][4] = {};
    for (; mine < work.to - work.from; mine += S::sets) {
      wait(shared.of_w.full + at_w.stage, at_w.phase);
      const Lane w(shared.w[at_w.stage][part]);
      __syncwarp();
      if (lane == 0) arrive(shared.of_w.empty + at_w.stage);
      wait(shared.of_x.full + at_x.stage, at_x.phase);
      if constexpr (S::sums_x) wait(shared.summed + at_x.stage, at_x.phase);
      multiply_rows<N, S::sums_x>(total, w, shared_address(shared.x[at_x.stage]), shared.x_sums[at_x.stage]);
      __syncwarp();
      if (lane == 0) arrive(shared.of_x.empty + at_x.stage);
      at_w.next();
      at_x.next();
    }
    mine -= work.to - work.from;
    end_kept();
#pragma unroll
    for (int i = 0; i < 2 * S::tiles; ++i) {
#pragma unroll
      for (int e = 0; e < 4; ++e) shared.sums[set][part * 2 * S::tiles + i][e][lane] = total[i][e];
    }
    meet<S::consumers>(1);
    if (threadIdx.x == 0) expect_bytes(shared.arrived + turn % 2, sizeof(shared.received[0]));
    constexpr int half = S::pieces / 2;
#pragma unroll
    for (int t = 0; t < S::tasks; ++t) {
      const int sent = S::warps - 1 - warp + t * S::warps, own = warp + t * S::warps;
      for (int i = sent; i < S::pieces && sent < half; i += half)
        send(&shared.received[turn % 2][i][lane], shared.arrived + turn % 2, 1 - rank,
             sum_of(shared, i, 1 - rank));
      if (own < half) kept[t] = {{sum_of(shared, own, rank), sum_of(shared, own + half, rank)}, tile};
    }
    meet<S::consumers>(1);
  }
  end_kept();
#endif
}

template <int N, int P>
void start(const CUtensorMap& map, const Arguments& a, const Queue& queue) {
  static_assert(sizeof(Shared<N, P>) + 1024 <= 227 * 1024);
  static_assert(P <= norm_spare_parts, "room for the parts of a last tile");
  const int tiles = Work<P>::count(a.product, a.gated), pairs = queue.processors / pair;
  const auto blocks = static_cast<unsigned>(pair * (tiles < pairs ? tiles : pairs));
  launch_clusters(queue, pair, a.norms.out.squares != nullptr ? &stream<true, N, P> : &stream<false, N, P>,
                  blocks, Shape<N, P>::threads, sizeof(Shared<N, P>) + 1024, map, a);
}

/// The tile whose turns are done first. W comes from memory; a multiprocessor takes it and x in at 2.2 times
/// its share of memory's bandwidth, and is some 32 KiB behind at the end of a tile (measured on an H200,
/// 2026-11-28, driver 580).
template <int N, int... Ps>
int rows_of(const Arguments& a, int processors) {
  int best = 0;
  std::int64_t least = 0;
  for (const int p : {Ps...}) {
    if (a.gated && p % 2 != 0) continue;
    const std::int64_t w = p * std::int64_t{sizeof(Int4Rows)}, in = w + N * int4_group * 2;
    const std::int64_t outputs = 32 * (a.gated ? p / 2 : p) * (processors / pair);
    const std::int64_t turns = (a.product.out + outputs - 1) / outputs,
                       groups = (int4_groups(a.product.in) + 1) / 2;
    const std::int64_t time = turns * (groups * (22 * w > 10 * in ? 22 * w : 10 * in) + 22 * 32 * 1024);
    if (best != 0 && time >= least) continue;
    best = p;
    least = time;
  }
  return best;
}
template <int N, int... Ps>
void start_for(const CUtensorMap& map, const Arguments& a, const Queue& queue) {
  static_assert(((Ps % 2 == 0) || ...), "tiles of gates and ups are of an even number of blocks");
  const int rows = rows_of<N, Ps...>(a, queue.processors);
  ((rows == Ps ? start<N, Ps>(map, a, queue) : void()), ...);
}

}  // namespace

void product_int4_streamed(const Bf16Product& product, const Int4Stream& w, const Epilogue& epilogue,
                           const Norms& norms, const CUtensorMap& x, const Queue& queue) {
  const Arguments a{product, w.w, epilogue.gated, norms, w.next};
  switch (int4_streamed_tile(product.tokens)) {
    case 8:
      return start_for<8, 14, 6, 3, 2, 1>(x, a, queue);
    case 16:
      return start_for<16, 14, 6, 3, 2, 1>(x, a, queue);
    default:
      return start_for<32, 6, 3, 2, 1>(x, a, queue);
  }
}

}  // namespace inferometer::cuda
