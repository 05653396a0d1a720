#include <type_traits>

#include "executor/cuda/kernels/flags.cuh"
#include "executor/cuda/kernels/fp8.cuh"
#include "executor/cuda/kernels/products_fp8.hpp"
#include "executor/cuda/kernels/wgmma_fp8.cuh"

namespace inferometer::cuda {
namespace {

/// Two warpgroups that multiply; one warp that loads.
constexpr int group_threads = 128, consumers = 2 * group_threads, threads = consumers + 32;
constexpr int most_shared = 227 * 1024, most_stages = 32;

template <class Product>
inline constexpr bool of_fp8 = std::is_same_v<Product, Fp8Product>;
/// Columns of a box: rows of 128 bytes.
template <class Product>
inline constexpr int box_columns = of_fp8<Product> ? 128 : 64;

/// Tiles of N rows of W in stages of so many boxes along k, half of them each warpgroup's: long runs along k
/// are what memory likes.
template <int N>
inline constexpr int boxes = N <= 64 ? 4 : 2;

struct Barriers {
  std::uint64_t full[most_stages], empty[most_stages];
};

/// The ring of stages: first their boxes of x, then those of W.
template <int N>
struct Ring {
  static constexpr int sums = 2 * (N / 4) * group_threads;  ///< that warpgroups hand each other, behind it
  int box, stage, depth;                                    ///< bytes of a box of x, of a stage; stages

  __device__ __forceinline__ explicit Ring(int tokens)
      : box((tokens + 7) / 8 * 1024),
        stage(boxes<N> * (box + N * 128)),
        depth(min(most_stages, (most_shared - 2048 - sums * 4) / stage)) {}
};

/// Where someone is who goes through the stages.
struct Place {
  int stage = 0;
  unsigned phase = 0;

  __device__ __forceinline__ void next(int depth) {
    if (++stage < depth) return;
    stage = 0;
    phase ^= 1;
  }
};

/// What there is to do: tiles of outputs, dealt out to the blocks in turns, each in steps along k. Half of a
/// tile's rows of W are `apart` from the other half.
template <class Product, int N>
struct Work {
  int outputs, tiles, steps, apart;

  __host__ __device__ __forceinline__ Work(const Product& a, bool gated)
      : outputs(gated ? N / 2 : N),
        tiles((a.out + outputs - 1) / outputs),
        steps((a.in + boxes<N> * box_columns<Product> - 1) / (boxes<N> * box_columns<Product>)),
        apart(gated ? a.out : N / 2) {}
};

#ifdef INFEROMETER_HOPPER
/// One thread keeps the stages full. Weights are fetched ahead of the kernel that makes x.
template <class Product, int N>
__device__ void load_stages(Barriers& barriers, unsigned char* stages, const Ring<N>& ring,
                            const StreamedTiles& maps, const Work<Product, N>& work, int tokens) {
  struct Walk {
    int tile, step = 0;
    Place place;
  };
  const auto next = [&](Walk& at) {
    at.place.next(ring.depth);
    if (++at.step < work.steps) return;
    at.step = 0;
    at.tile += static_cast<int>(gridDim.x);
  };
  const auto each_box = [&](const Walk& at, auto copy) {
    unsigned char* stage = stages + at.place.stage * ring.stage;
#pragma unroll
    for (int b = 0; b < boxes<N>; ++b)
      copy(b, (at.step * boxes<N> + b) * box_columns<Product>, stage, barriers.full + at.place.stage);
  };
  const auto load_w = [&](const Walk& at) {
    expect_bytes(barriers.full + at.place.stage, boxes<N> * 128 * (N + tokens));
    each_box(at, [&](int b, int column, unsigned char* stage, std::uint64_t* full) {
      unsigned char* w = stage + boxes<N> * ring.box + b * N * 128;
      const int row = at.tile * work.outputs;
      copy_box(w, &maps.w, column, row, full);
      copy_box(w + N * 64, &maps.w, column, row + work.apart, full);
    });
  };
  const auto load_x = [&](const Walk& at) {
    each_box(at, [&](int b, int column, unsigned char* stage, std::uint64_t* full) {
      copy_box(stage + b * ring.box, &maps.x, column, 0, full);
    });
  };
  Walk w{static_cast<int>(blockIdx.x)}, x = w;
  int ahead = 0;
  for (; ahead < ring.depth && w.tile < work.tiles; ++ahead, next(w)) load_w(w);
  wait_for_earlier();
  for (; ahead > 0; --ahead, next(x)) load_x(x);
  for (; w.tile < work.tiles; next(w)) {
    wait(barriers.empty + w.place.stage, w.place.phase ^ 1);
    load_w(w);
    load_x(w);
  }
}

/// Values [at, at + 2) of a token.
template <class Product>
__device__ __forceinline__ void store_two(const Product& a, int token, int at, float low, float high) {
  const std::int64_t place = token * a.y_stride + at;
  const bool both = at + 1 < a.out;
  if (a.y_f32) {
    static_cast<float*>(a.y)[place] = low;
    if (both) static_cast<float*>(a.y)[place + 1] = high;
    return;
  }
  Bf16* y = static_cast<Bf16*>(a.y) + place;
  if (both && reinterpret_cast<std::uintptr_t>(y) % 4 == 0) {
    *reinterpret_cast<unsigned*>(y) = pack(low, high);
  } else {
    y[0] = to_bf16(low);
    if (both) y[1] = to_bf16(high);
  }
}

/// The outputs from `first` on of a token, by four threads: sums[2 j + i] is of row 8 j + 2 (lane % 4) + i of
/// the tile's rows of W.
template <int N, class Product>
__device__ void store_token(const float (&sums)[N / 4], const Product& a, const Epilogue& epilogue, int token,
                            int first) {
  if (token >= a.tokens) return;
  float scale = 1;
  if constexpr (of_fp8<Product>) scale = *a.x_scale * *a.w_scale;
  const auto sum = [&](int i) { return sums[i] * scale; };
  first += threadIdx.x % 4 * 2;
  if (!epilogue.gated) {
#pragma unroll
    for (int j = 0; j < N / 8; ++j) {
      if (first + 8 * j < a.out) store_two(a, token, first + 8 * j, sum(2 * j), sum(2 * j + 1));
    }
    return;
  }
  const float factor = epilogue.y_scale != nullptr ? factor_of(epilogue.y_scale) : 0;
#pragma unroll
  for (int j = 0; j < N / 16; ++j) {
    const int at = first + 8 * j;
    if (at >= a.out) continue;
    float y[2];
#pragma unroll
    for (int i = 0; i < 2; ++i)
      y[i] = gate_silu(to_float(to_bf16(sum(2 * j + i))), to_float(to_bf16(sum(2 * j + i + N / 8))));
    if (epilogue.y_scale == nullptr) {
      store_two(a, token, at, y[0], y[1]);
      continue;
    }
    std::uint8_t* q = static_cast<std::uint8_t*>(a.y) + token * a.y_stride + at;
    q[0] = to_fp8(to_float(to_bf16(y[0])) * factor);
    if (at + 1 < a.out) q[1] = to_fp8(to_float(to_bf16(y[1])) * factor);
  }
}
#endif

/// Tokens are the rows of the matrix units, so that any multiple of eight rows of W can be its columns.
template <class Product, int N>
__global__ void __launch_bounds__(threads, 1)
    streamed(const __grid_constant__ StreamedTiles maps, Product a, Epilogue epilogue) {
#ifdef INFEROMETER_HOPPER
  extern __shared__ unsigned char memory[];
  auto* aligned =
      reinterpret_cast<unsigned char*>((reinterpret_cast<std::uintptr_t>(memory) + 1023) / 1024 * 1024);
  auto& barriers = *reinterpret_cast<Barriers*>(aligned);
  unsigned char* stages = aligned + 1024;
  const Ring<N> ring(a.tokens);
  const Work<Product, N> work(a, epilogue.gated);
  allow_next();
  if (threadIdx.x == 0) {
    for (int s = 0; s < ring.depth; ++s) {
      init_barrier(barriers.full + s, 1);
      init_barrier(barriers.empty + s, consumers / 32);
    }
    publish_barriers();
  }
  __syncthreads();
  if (threadIdx.x >= consumers) {
    if (threadIdx.x == consumers) load_stages(barriers, stages, ring, maps, work, a.tokens);
    return;
  }
  wait_for_earlier();
  const int group = threadIdx.x / group_threads, in_group = threadIdx.x % group_threads;
  auto* handed = reinterpret_cast<float*>(stages + ring.depth * ring.stage) + in_group;
  Place place;
  for (int tile = blockIdx.x; tile < work.tiles; tile += gridDim.x) {
    float d[N / 2] = {};
    for (int i = 0; i < work.steps; ++i, place.next(ring.depth)) {
      const unsigned char *x = stages + place.stage * ring.stage, *w = x + boxes<N> * ring.box;
      wait(barriers.full + place.stage, place.phase);
      products_begin();
#pragma unroll
      for (int b = 0; b < boxes<N> / 2; ++b) {
        const int box = group * (boxes<N> / 2) + b;
        // Of fewer than 64 tokens the others' rows are whatever lies behind; nobody stores them.
        const std::uint64_t of_x = tile_descriptor(x + box * ring.box),
                            of_w = tile_descriptor(w + box * N * 128);
#pragma unroll
        for (int k = 0; k < 4; ++k) {
          if constexpr (of_fp8<Product>) {
            multiply_fp8_tile<N>(d, of_x + 2 * k, of_w + 2 * k, 1);
          } else {
            multiply_tile<N>(d, of_x + 2 * k, of_w + 2 * k, 1);
          }
        }
      }
      products_end();
      if (threadIdx.x % 32 == 0) arrive(barriers.empty + place.stage);
    }
    // Of each sixteen tokens the first warpgroup ends the upper eight, the second the lower.
    float sums[N / 4];
#pragma unroll
    for (int j = 0; j < N / 4; ++j) {
      const float upper = d[j / 2 * 4 + j % 2], lower = d[j / 2 * 4 + 2 + j % 2];
      sums[j] = group == 0 ? upper : lower;
      handed[(group * (N / 4) + j) * group_threads] = group == 0 ? lower : upper;
    }
    meet<consumers>(1);
#pragma unroll
    for (int j = 0; j < N / 4; ++j) sums[j] += handed[((1 - group) * (N / 4) + j) * group_threads];
    meet<consumers>(1);
    const int token = in_group / 32 * 16 + group * 8 + threadIdx.x % 32 / 4;
    store_token<N>(sums, a, epilogue, token, tile * work.outputs);
  }
#endif
}

template <int N, class Product>
void start(const Product& a, const Epilogue& epilogue, const StreamedTiles& maps, const Queue& queue) {
  const int tiles = Work<Product, N>(a, epilogue.gated).tiles;
  const auto blocks = static_cast<unsigned>(tiles < queue.processors ? tiles : queue.processors);
  launch(queue, &streamed<Product, N>, blocks, threads, most_shared, maps, a, epilogue);
}

template <class Product>
void start_for(const Product& a, const Epilogue& epilogue, const StreamedTiles& maps, const Queue& queue) {
  switch (streamed_rows(epilogue.gated ? 2L * a.out : a.out, queue.processors)) {
    case 16:
      return start<16>(a, epilogue, maps, queue);
    case 32:
      return start<32>(a, epilogue, maps, queue);
    case 48:
      return start<48>(a, epilogue, maps, queue);
    case 64:
      return start<64>(a, epilogue, maps, queue);
    case 80:
      return start<80>(a, epilogue, maps, queue);
    case 96:
      return start<96>(a, epilogue, maps, queue);
    case 112:
      return start<112>(a, epilogue, maps, queue);
    default:
      return start<128>(a, epilogue, maps, queue);
  }
}

}  // namespace

void product_streamed(const FewTokensProduct& a, const Epilogue& epilogue, const StreamedTiles& maps,
                      const Queue& queue) {
  start_for(a, epilogue, maps, queue);
}
void product_streamed(const Fp8Product& a, const Epilogue& epilogue, const StreamedTiles& maps,
                      const Queue& queue) {
  start_for(a, epilogue, maps, queue);
}

}  // namespace inferometer::cuda
