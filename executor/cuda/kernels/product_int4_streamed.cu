#include "executor/cuda/kernels/int4.cuh"
#include "executor/cuda/kernels/mma.cuh"

namespace inferometer::cuda {
namespace {

/// Four warps, of 32 rows each, multiply a unit. Several such sets take turns along k; the first writes.
constexpr int writers = 128;

/// x comes with the weights, N rows by one group in boxes of 64 columns.
template <int N>
struct Shape {
  static_assert(N <= 32);
  // As many as registers suffice for.
  static constexpr int sets = N <= 8 ? 4 : N <= 16 ? 3 : 2;
  static constexpr int consumers = sets * writers, threads = consumers + 32;
  static constexpr int x_bytes = N * int4_group * 2;
  static constexpr int stage_bytes = sizeof(Int4Unit) + x_bytes;
  static constexpr int sum_bytes = (sets - 1) * writers * N * 4;
  // A multiple of `sets`, so that a stage is always the same set's: a barrier's phase can be told from the
  // one before it only, which nobody may miss.
  static constexpr int most = (200 * 1024 - sum_bytes) / stage_bytes,
                       depth = (most < 16 ? most : 16) / sets * sets;
  // Sums of x correct for the zero points at the cost of an instruction for two of weights; with more tokens
  // subtracting from the weights themselves is cheaper.
  static constexpr bool sums = N <= 16;
};
/// x lies behind it.
template <int N>
struct alignas(1024) Shared {
  using S = Shape<N>;
  Int4Unit w[S::depth];
  float sums[S::sets - 1][N][writers];
  std::uint64_t full[S::depth], empty[S::depth];
  __device__ Bf16* x() { return reinterpret_cast<Bf16*>(this + 1); }
};

struct Arguments {
  FewTokensProduct product;
  const Int4Unit* w;
  Int4Split split;
};

#ifdef INFEROMETER_HOPPER
/// One thread keeps the stages full. Weights are fetched ahead of the kernel that makes x.
template <int N>
__device__ void load_stages(Shared<N>& shared, const CUtensorMap& map, const Arguments& a,
                            const Int4Work& work, Range mine) {
  using S = Shape<N>;
  const auto load_w = [&](int u) {
    const int s = (u - mine.from) % S::depth;
    expect_bytes(shared.full + s, S::stage_bytes);
    copy_bulk(shared.w + s, a.w + u, sizeof(Int4Unit), shared.full + s);
  };
  Int4Position position(work, mine.from);  // of the next load of x
  const auto load_x = [&](int u) {
    const int s = (u - mine.from) % S::depth, column = position.group * int4_group;
#pragma unroll
    for (int b = 0; b < 2; ++b)
      copy_box(shared.x() + (s * 2 + b) * N * 64, &map, column + b * 64, 0, shared.full + s);
    position.advance(work);
  };
  const int ahead = min(mine.to, mine.from + S::depth);
  for (int u = mine.from; u < ahead; ++u) load_w(u);
  wait_for_earlier();
  for (int u = mine.from; u < ahead; ++u) load_x(u);
  for (int u = ahead; u < mine.to; ++u) {
    const int turn = (u - mine.from) / S::depth;
    wait(shared.empty + (u - mine.from) % S::depth, static_cast<unsigned>((turn - 1) % 2));
    load_w(u);
    load_x(u);
  }
}

/// 32 columns of 8 tokens, from column `half` * 64 + `two` * 32 of a unit and token `tile` * 8; x as
/// multiply_unit has it.
template <int N>
__device__ __forceinline__ void load_tokens(unsigned (&b)[4], std::uint32_t x, int half, int two, int tile) {
  const int row = static_cast<int>(threadIdx.x) % 8, piece = two * 4 + static_cast<int>(threadIdx.x) % 32 / 8;
  const int at = half * N * 128 + (tile * 8 + row) * 128 + (piece ^ row) * 16;
  load_matrices<false>(b, x + static_cast<unsigned>(at));
}

/// total += of this warp's 32 rows of a unit.   total [2][N / 8][4]: 16 rows, 8 tokens, and of them what
/// mma.m16n8k16 leaves a lane
/// x: in shared memory, of the unit's first column
template <int N>
__device__ __forceinline__ void multiply_unit(float (&total)[N], const Int4Unit& w, std::uint32_t x) {
  using S = Shape<N>;
  constexpr int tiles = N / 8;
  constexpr unsigned ones[4] = {0x3f803f80U, 0x3f803f80U, 0x3f803f80U, 0x3f803f80U};
  const int lane = threadIdx.x % 32, at = lane / 4 * 4;
  const Int4Rows& rows = w.rows[threadIdx.x / 32 % 4];
  const uint2 scale_bits = *reinterpret_cast<const uint2*>(rows.scales + at);
  const unsigned zero_bits = *reinterpret_cast<const std::uint16_t*>(rows.zeros + at / 2);
  // Of this lane's first row and those 8, 16 and 24 below.
  const auto zero = [&](int i) { return zero_bits >> (4 * i) & 15U; };
  const auto* q = reinterpret_cast<const uint4*>(rows.q) + lane;
  float d[2][tiles][4] = {}, sum[tiles][4] = {};
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const uint4 words[2] = {q[half * 32], q[64 + half * 32]};
#pragma unroll
    for (int two = 0; two < 2; ++two) {
      unsigned a[2][2][4];
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        unpack_word(a[r][0], two == 0 ? words[r].x : words[r].z);
        unpack_word(a[r][1], two == 0 ? words[r].y : words[r].w);
        if constexpr (!S::sums) {
#pragma unroll
          for (int i = 0; i < 8; ++i)
            a[r][i / 4][i % 4] = subtract(a[r][i / 4][i % 4], zero_pair(zero(r * 2 + i % 2)));
        }
      }
#pragma unroll
      for (int t = 0; t < tiles; ++t) {
        unsigned b[4];
        load_tokens<N>(b, x, half, two, t);
#pragma unroll
        for (int k = 0; k < 2; ++k) {
#pragma unroll
          for (int r = 0; r < 2; ++r) multiply_add<false>(d[r][t], a[r][k], b[2 * k], b[2 * k + 1]);
          if constexpr (S::sums) multiply_add<false>(sum[t], ones, b[2 * k], b[2 * k + 1]);
        }
      }
    }
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int r = i / 2, h = i % 2;
    const float scale = half_bits(r == 0 ? scale_bits.x : scale_bits.y, h);
    const float offset = __uint_as_float(0x43000000U | zero(i) << 16);  // 128 + zero
#pragma unroll
    for (int t = 0; t < tiles; ++t) {
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        float value = d[r][t][h * 2 + e];
        if constexpr (S::sums) value = fmaf(-offset, sum[t][e], value);
        float& to = total[(r * tiles + t) * 4 + h * 2 + e];
        to = fmaf(scale, value, to);
      }
    }
  }
}

template <int N>
__device__ void store_tile(const float (&total)[N], const FewTokensProduct& a, int tile) {
  const int row = static_cast<int>(threadIdx.x) / 32 * 32 + static_cast<int>(threadIdx.x) % 32 / 4;
#pragma unroll
  for (int i = 0; i < N; ++i) {
    store(a, static_cast<std::int64_t>(tile) * int4_rows + row + i / (N / 2) * 16 + i % 4 / 2 * 8,
          i % (N / 2) / 4 * 8 + static_cast<int>(threadIdx.x) % 4 * 2 + i % 2, total[i]);
  }
}
#endif

template <int N>
__global__ void __launch_bounds__(Shape<N>::threads, 1)
    stream(const __grid_constant__ CUtensorMap map, const __grid_constant__ Arguments a) {
#ifdef INFEROMETER_HOPPER
  using S = Shape<N>;
  extern __shared__ unsigned char memory[];
  // Offset, not cast, so that the compiler knows that it is shared memory.
  auto& shared = *reinterpret_cast<Shared<N>*>(memory + (1024 - shared_address(memory) % 1024) % 1024);
  const Int4Work work(a.product, N);
  const Range mine = work.of(blockIdx.x);
  allow_next();
  if (threadIdx.x == 0) {
    for (int s = 0; s < S::depth; ++s) {
      init_barrier(shared.full + s, 1);
      init_barrier(shared.empty + s, writers / 32);
    }
    publish_barriers();
  }
  __syncthreads();
  if (threadIdx.x >= S::consumers) {
    if (threadIdx.x == S::consumers) load_stages(shared, map, a, work, mine);
    return;
  }
  wait_for_earlier();
  const int set = threadIdx.x / writers, in_set = threadIdx.x % writers;
  const std::uint32_t x = shared_address(shared.x());
  for (int from = mine.from, to = 0; from < mine.to; from = to) {
    const int begin = work.tile(from) * work.groups, done = from - mine.from;
    to = min(begin + work.groups, mine.to);
    float total[N] = {};
    for (int i = done + (set + S::sets - done % S::sets) % S::sets; i < to - mine.from; i += S::sets) {
      const int s = i % S::depth;
      wait(shared.full + s, static_cast<unsigned>(i / S::depth % 2));
      multiply_unit<N>(total, shared.w[s], x + static_cast<unsigned>(s * S::x_bytes));
      __syncwarp();
      if (threadIdx.x % 32 == 0) arrive(shared.empty + s);
    }
    if (set != 0) {
#pragma unroll
      for (int i = 0; i < N; ++i) shared.sums[set - 1][i][in_set] = total[i];
    }
    meet<S::consumers>(1);
    if (set == 0) {
#pragma unroll
      for (int other = 0; other < S::sets - 1; ++other) {
#pragma unroll
        for (int i = 0; i < N; ++i) total[i] += shared.sums[other][i][in_set];
      }
    }
    meet<S::consumers>(1);
    if (set != 0) continue;
    if (complete_tile<writers>(total, a.split, work, from, to))
      store_tile<N>(total, a.product, work.tile(from));
  }
#endif
}

template <int N>
void start(const CUtensorMap& map, const Arguments& a, const Queue& queue) {
  using S = Shape<N>;
  const std::int64_t units = int4_units(a.product.out, a.product.in);
  const auto blocks = static_cast<unsigned>(units < queue.processors ? units : queue.processors);
  launch(queue, &stream<N>, blocks, S::threads, sizeof(Shared<N>) + 1024 + S::depth * S::x_bytes, map, a);
}

}  // namespace

void product_int4_streamed(const FewTokensProduct& product, const Int4Unit* w, const CUtensorMap& x,
                           const Int4Split& split, const Queue& queue) {
  const Arguments a{product, w, split};
  switch (int4_token_tile(product.tokens)) {
    case 8:
      return start<8>(x, a, queue);
    case 16:
      return start<16>(x, a, queue);
    default:
      return start<32>(x, a, queue);
  }
}

}  // namespace inferometer::cuda
