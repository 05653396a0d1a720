#include "executor/cuda/kernels/int4.cuh"
#include "executor/cuda/kernels/split_tiles.cuh"
#include "executor/cuda/kernels/wgmma.cuh"

namespace inferometer::cuda {
namespace {

/// Two warpgroups, of which each multiplies 16 of every 32 rows; one warp that loads.
constexpr int consumers = 256, threads = consumers + 32;

template <int N>
struct Shape {
  static constexpr int x_bytes = N * int4_group * 2;
  static constexpr int stage_bytes = sizeof(Int4Unit) + x_bytes;
  static constexpr int depth = 208 * 1024 / stage_bytes;
};
template <int N>
struct alignas(1024) Shared {
  using S = Shape<N>;
  std::uint16_t x[S::depth][2][N * 64];
  Int4Unit w[S::depth];
  std::uint64_t full[S::depth], empty[S::depth];
};

struct Arguments {
  Bf16Product product;
  const Int4Unit* w;
  Int4Split split;
};

#ifdef INFEROMETER_HOPPER
/// d += a bᵀ for one step of 16 along k.   a [64, 16] in registers, as mma.m16n8k16 has it for each warp's 16
/// rows; b [N, 16] as tile_descriptor says
template <int N>
__device__ void multiply_weights(float (&d)[N / 2], const unsigned (&a)[4], std::uint64_t b);

template <>
__device__ __forceinline__ void multiply_weights<64>(float (&d)[32], const unsigned (&a)[4],
                                                     std::uint64_t b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, "
      "%10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, "
      "%29, %30, %31}, "
      "{%32, %33, %34, %35}, %36, 1, 1, 1, 0;"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]),
        "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]),
        "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]),
        "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]),
        "+f"(d[30]), "+f"(d[31])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}
template <>
__device__ __forceinline__ void multiply_weights<128>(float (&d)[64], const unsigned (&a)[4],
                                                      std::uint64_t b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, "
      "%10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, "
      "%29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, "
      "{%64, %65, %66, %67}, %68, 1, 1, 1, 0;"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]),
        "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]),
        "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]),
        "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]),
        "+f"(d[30]), "+f"(d[31]), "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]), "+f"(d[36]),
        "+f"(d[37]), "+f"(d[38]), "+f"(d[39]), "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43]),
        "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]), "+f"(d[48]), "+f"(d[49]), "+f"(d[50]),
        "+f"(d[51]), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]), "+f"(d[56]), "+f"(d[57]),
        "+f"(d[58]), "+f"(d[59]), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}

/// One thread keeps the stages full. Weights are fetched ahead of the kernel that makes x.
template <int N>
__device__ void load_stages(Shared<N>& shared, const CUtensorMap& map, const Arguments& a,
                            const Int4Work& work, Range mine) {
  using S = Shape<N>;
  Int4Position next_w(work, mine.from), next_x = next_w;
  const auto load_w = [&](int u) {
    const int s = (u - mine.from) % S::depth;
    const std::int64_t unit = static_cast<std::int64_t>(next_w.row_tile) * work.groups + next_w.group;
    expect_bytes(shared.full + s, S::stage_bytes);
    copy_bulk(shared.w + s, a.w + unit, sizeof(Int4Unit), shared.full + s);
    next_w.advance(work);
  };
  const auto load_x = [&](int u) {
    const int s = (u - mine.from) % S::depth, column = next_x.group * int4_group;
#pragma unroll
    for (int b = 0; b < 2; ++b)
      copy_box(shared.x[s][b], &map, column + b * 64, next_x.token_tile * N, shared.full + s);
    next_x.advance(work);
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

/// What turns this lane's two rows of a unit into weights, twice each.
struct Factors {
  unsigned zero[2];
  __nv_bfloat162 scale[2];
};
__device__ __forceinline__ Factors factors(const Int4Rows& w) {
  const int at = static_cast<int>(threadIdx.x) % 32 / 4 * 4 + static_cast<int>(threadIdx.x) / 128 * 2;
  const unsigned scales = *reinterpret_cast<const unsigned*>(w.scales + at);
  const unsigned zeros = w.zeros[at / 2];
  return {{zero_pair(zeros & 15U), zero_pair(zeros >> 4)},
          {__float2bfloat162_rn(half_bits(scales, 0)), __float2bfloat162_rn(half_bits(scales, 1))}};
}
__device__ __forceinline__ void unpack_weights(unsigned (&a)[4], unsigned word, const Factors& f) {
  unpack_word(a, word);
#pragma unroll
  for (int i = 0; i < 4; ++i) a[i] = as_bits(__hmul2(as_pair(subtract(a[i], f.zero[i % 2])), f.scale[i % 2]));
}

/// total += of this warpgroup's 64 rows of the unit in stage s. The second half is still being multiplied
/// when this returns, from registers a[1].
/// before_done: called when all that was issued before is done
template <int N, class F>
__device__ __forceinline__ void multiply_unit(float (&total)[N / 2], unsigned (&a)[2][4][4],
                                              const Shared<N>& shared, int s, F before_done) {
  const Int4Rows& rows = shared.w[s].rows[threadIdx.x % 128 / 32];
  const Factors f = factors(rows);
  const auto* q = reinterpret_cast<const uint4*>(rows.q) + static_cast<int>(threadIdx.x) / 128 * 64 +
                  static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const uint4 words = q[half * 32];
    unpack_weights(a[half][0], words.x, f);
    unpack_weights(a[half][1], words.y, f);
    unpack_weights(a[half][2], words.z, f);
    unpack_weights(a[half][3], words.w, f);
    const std::uint64_t x = tile_descriptor(shared.x[s][half]);
    products_begin();
#pragma unroll
    for (int k = 0; k < 4; ++k) multiply_weights<N>(total, a[half][k], x + 2 * k);
    products_commit();
    products_wait<1>();
    if (half == 0) before_done();
  }
}

template <int N>
__device__ void store_tile(const float (&total)[N / 2], const Bf16Product& a, int row_tile, int token) {
  const int thread = threadIdx.x, row = thread % 128 / 32 * 32 + thread / 128 * 16 + thread % 32 / 4;
#pragma unroll
  for (int i = 0; i < N / 2; ++i) {
    store(a, static_cast<std::int64_t>(row_tile) * int4_rows + row + i % 4 / 2 * 8,
          token + i / 4 * 8 + thread % 4 * 2 + i % 2, total[i]);
  }
}
#endif

template <int N>
__global__ void __launch_bounds__(threads, 1)
    tiled(const __grid_constant__ CUtensorMap map, const __grid_constant__ Arguments a) {
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
      init_barrier(shared.empty + s, consumers / 32);
    }
    publish_barriers();
  }
  __syncthreads();
  if (threadIdx.x >= consumers) {
    if (threadIdx.x == consumers) load_stages(shared, map, a, work, mine);
    return;
  }
  wait_for_earlier();
  const auto stage = [&](int u) { return (u - mine.from) % S::depth; };
  const auto release = [&](int u) {
    __syncwarp();
    if (threadIdx.x % 32 == 0) arrive(shared.empty + stage(u));
  };
  for (int at = mine.from; at < mine.to;) {
    const int from = at, to = min((work.tile(at) + 1) * work.groups, mine.to);
    float total[N / 2] = {};
    unsigned weights[2][4][4];
    for (; at < to; ++at) {
      wait(shared.full + stage(at), static_cast<unsigned>((at - mine.from) / S::depth % 2));
      multiply_unit<N>(total, weights, shared, stage(at), [&] {
        if (at > from) release(at - 1);
      });
    }
    products_wait<0>();
    pin(total);
    release(to - 1);
    if (complete_tile<consumers>(total, a.split, work, from, to)) {
      const Int4Position tile(work, from);
      store_tile<N>(total, a.product, tile.row_tile, tile.token_tile * N);
    }
  }
#endif
}

template <int N>
void start(const CUtensorMap& map, const Arguments& a, const Queue& queue) {
  const std::int64_t units = int4_units(a.product.out, a.product.in) * ((a.product.tokens + N - 1) / N);
  const auto blocks = static_cast<unsigned>(units < queue.processors ? units : queue.processors);
  launch(queue, &tiled<N>, blocks, threads, sizeof(Shared<N>) + 1024, map, a);
}

}  // namespace

void product_int4_tiled(const Bf16Product& a, const Int4Unit* w, const CUtensorMap& x, const Int4Split& split,
                        const Queue& queue) {
  if (int4_tiled_tile(a.tokens) <= 64) {
    start<64>(x, {a, w, split}, queue);
  } else {
    start<128>(x, {a, w, split}, queue);
  }
}

}  // namespace inferometer::cuda
