#pragma once
#include "executor/cuda/kernels/int4_bytes.cuh"
#include "executor/cuda/kernels/one_token_row.cuh"

// The row that int4 products of one token multiply, made by each block for itself.
#ifdef INFEROMETER_HOPPER
namespace inferometer::cuda::int4_bytes {

/// What the prologue makes of the row [in] when the kernel before has ended, as groups, each by the warp that
/// multiplies it: group g by warp g % Warps. Rounded to bf16 wherever kernels of their own would store it.
/// For the first Warps warps of a block, which meet at barrier 1.
/// parts [Warps]: in shared memory, for norms   asked: one thread of each warp arrives when all that it reads
/// is on its way
template <Prologue::Kind K, int Warps>
__device__ __forceinline__ void make_groups(Group* x, const std::uint16_t* row, int in, const Prologue& p,
                                            float* parts, std::uint64_t* asked) {
  using Kind = Prologue::Kind;
  constexpr bool norm = is_norm(K), two = K == Kind::add_norm || K == Kind::gated;
  constexpr int most = norm ? 4 : 8;  // that are on their way before one is used
  const int groups = static_cast<int>(int4_groups(in)), lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  Four first[most], second[two ? most : 1], weights[norm ? most : 1];
  const auto for_some = [&](int round, auto f) {
#pragma unroll
    for (int n = 0; n < most; ++n) {
      const int group = round + n * Warps + warp;
      if (group >= groups) break;
      f(n, group, group * int4_group + 4 * lane);
    }
  };
  const auto fetch_weights = [&](int round) {
    for_some(round, [&](int n, int, int at) { weights[n] = load_four(p.weight, in, at); });
  };
  const auto fetch = [&](int round) {
    for_some(round, [&](int n, int, int at) {
      first[n] = load_four(row, in, at);
      if constexpr (two) second[n] = load_four(p.second, in, at);
    });
  };
  const auto combine = [&](int n) {
    if constexpr (two) first[n] = each(first[n], second[n], join<K>);
  };
  if constexpr (norm) fetch_weights(0);
  allow_next();
  wait_for_earlier();
  fetch(0);
  float scale = 0;
  if constexpr (norm) {
    float squares = 0;
    for (int round = 0;;) {  // the first group of those that are on their way together
      if (round + most * Warps >= groups && lane == 0) arrive(asked);
      for_some(round, [&](int n, int, int at) {
        combine(n);
        squares += squares_of(first[n]);
        if (K == Kind::add_norm && blockIdx.x == 0 && at < in)
          *reinterpret_cast<uint2*>(p.sum + at) = {first[n].first, first[n].second};
      });
      if ((round += most * Warps) >= groups) break;
      fetch(round);
    }
    scale = norm_scale<Warps>(squares, parts, in, p.eps);
  }
  const bool again = norm && groups > most * Warps;  // too much to be kept
#pragma unroll 1
  for (int round = 0; round < groups; round += most * Warps) {
    if (again || round > 0) {
      fetch(round);
      if constexpr (norm) fetch_weights(round);
    }
    if (!norm && round + most * Warps >= groups && lane == 0) arrive(asked);
    for_some(round, [&](int n, int group, int) {
      if (!norm || again) combine(n);
      if constexpr (norm)
        first[n] = each(first[n], weights[n], [&](float v, float w) { return v * scale * w; });
      make_group(x[group], exchange(first[n]));
    });
  }
}

}  // namespace inferometer::cuda::int4_bytes
#endif
