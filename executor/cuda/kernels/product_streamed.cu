#include <type_traits>

#include "executor/cuda/kernels/flags.cuh"
#include "executor/cuda/kernels/fp8.cuh"
#include "executor/cuda/kernels/products_fp8.hpp"
#include "executor/cuda/kernels/wgmma_fp8.cuh"

namespace inferometer::cuda {
namespace {

/// Two warpgroups that multiply; a warp that loads W and one that loads x.
constexpr int group_threads = 128, consumers = 2 * group_threads, threads = consumers + 64;
constexpr int most_shared = 227 * 1024, most_stages = 12;

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
  std::uint64_t full_w[most_stages], empty_w[most_stages], full_x[most_stages], empty_x[most_stages];
};

/// How shared memory is used: stages of x, which come from the L2 cache, and of W. With more of W on its way
/// x would be kept waiting (measured on an H200).
template <int N>
struct Layout {
  static constexpr int w_stage = boxes<N> * N * 128, most_w = 96 * 1024;
  static constexpr int sums = 2 * (N / 4) * group_threads;  ///< that warpgroups hand each other
  static constexpr int x_depth = N <= 16 ? 5 : N <= 32 ? 4 : 3;
  int box, x_stage, w_depth;  ///< bytes of a box of x, of a stage; stages

  __device__ __forceinline__ explicit Layout(int tokens)
      : box((tokens + 7) / 8 * 1024),
        x_stage(boxes<N> * box),
        w_depth(min(most_w, most_shared - 2048 - sums * 4 - x_depth * x_stage) / w_stage) {}
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
/// One thread calls load(tile, step, stage) for all that this block does, as stages become empty.
template <class Product, int N, class F>
__device__ void keep_full(const Work<Product, N>& work, std::uint64_t* empty, int depth, F load) {
  Place place;
  unsigned round = 0;  // nobody has to empty the stages of the first
  for (int tile = blockIdx.x; tile < work.tiles; tile += gridDim.x) {
    for (int step = 0; step < work.steps; ++step) {
      if (round > 0) wait(empty + place.stage, place.phase ^ 1);
      load(tile, step, place.stage);
      place.next(depth);
      if (place.stage == 0) round = 1;
    }
  }
}

/// Weights are fetched ahead of the kernel that makes x.
template <class Product, int N>
__device__ void load_w(Barriers& barriers, unsigned char* stages, const Layout<N>& layout,
                       const StreamedTiles& maps, const Work<Product, N>& work) {
  keep_full(work, barriers.empty_w, layout.w_depth, [&](int tile, int step, int s) {
    std::uint64_t* full = barriers.full_w + s;
    expect_bytes(full, layout.w_stage);
#pragma unroll
    for (int b = 0; b < boxes<N>; ++b) {
      unsigned char* w = stages + s * layout.w_stage + b * N * 128;
      const int column = (step * boxes<N> + b) * box_columns<Product>, row = tile * work.outputs;
      copy_box(w, &maps.w, column, row, full);
      copy_box(w + N * 64, &maps.w, column, row + work.apart, full);
    }
  });
}
template <class Product, int N>
__device__ void load_x(Barriers& barriers, unsigned char* stages, const Layout<N>& layout,
                       const StreamedTiles& maps, const Work<Product, N>& work, int tokens) {
  wait_for_earlier();
  keep_full(work, barriers.empty_x, layout.x_depth, [&](int, int step, int s) {
    std::uint64_t* full = barriers.full_x + s;
    expect_bytes(full, boxes<N> * 128 * tokens);
#pragma unroll
    for (int b = 0; b < boxes<N>; ++b)
      copy_box(stages + s * layout.x_stage + b * layout.box, &maps.x,
               (step * boxes<N> + b) * box_columns<Product>, 0, full);
  });
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
  const Layout<N> layout(a.tokens);
  unsigned char *stages_x = aligned + 1024, *stages_w = stages_x + layout.x_depth * layout.x_stage;
  const Work<Product, N> work(a, epilogue.gated);
  allow_next();
  if (threadIdx.x == 0) {
    for (int s = 0; s < most_stages; ++s) {
      init_barrier(barriers.full_w + s, 1);
      init_barrier(barriers.full_x + s, 1);
      init_barrier(barriers.empty_w + s, consumers / 32);
      init_barrier(barriers.empty_x + s, consumers / 32);
    }
    publish_barriers();
  }
  __syncthreads();
  if (threadIdx.x >= consumers) {
    if (threadIdx.x == consumers) load_w(barriers, stages_w, layout, maps, work);
    if (threadIdx.x == consumers + 32) load_x(barriers, stages_x, layout, maps, work, a.tokens);
    return;
  }
  wait_for_earlier();
  const int group = threadIdx.x / group_threads, in_group = threadIdx.x % group_threads;
  auto* handed = reinterpret_cast<float*>(stages_w + layout.w_depth * layout.w_stage) + in_group;
  Place at_w, at_x;
  for (int tile = blockIdx.x; tile < work.tiles; tile += gridDim.x) {
    float d[N / 2] = {};
    for (int i = 0; i < work.steps; ++i, at_w.next(layout.w_depth), at_x.next(layout.x_depth)) {
      const unsigned char *w = stages_w + at_w.stage * layout.w_stage,
                          *x = stages_x + at_x.stage * layout.x_stage;
      wait(barriers.full_w + at_w.stage, at_w.phase);
      wait(barriers.full_x + at_x.stage, at_x.phase);
      products_begin();
#pragma unroll
      for (int b = 0; b < boxes<N> / 2; ++b) {
        const int box = group * (boxes<N> / 2) + b;
        // Of fewer than 64 tokens the others' rows are whatever lies behind; nobody stores them.
        const std::uint64_t of_x = tile_descriptor(x + box * layout.box),
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
      if (threadIdx.x % 32 == 0) {
        arrive(barriers.empty_w + at_w.stage);
        arrive(barriers.empty_x + at_x.stage);
      }
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
