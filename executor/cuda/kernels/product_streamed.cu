#include "executor/cuda/kernels/flags.cuh"
#include "executor/cuda/kernels/streamed_store.cuh"
#include "executor/cuda/kernels/wgmma_fp8.cuh"

namespace inferometer::cuda {
namespace {

using namespace streaming;

/// Tokens are the rows of the matrix units, so that any multiple of eight rows of W can be its columns.
template <class Product, int N>
__global__ void __launch_bounds__(threads, 1)
    streamed(const __grid_constant__ StreamedMaps maps, Product a, Epilogue epilogue, Norms norms) {
#ifdef INFEROMETER_HOPPER
  extern __shared__ unsigned char memory[];
  auto* aligned =
      reinterpret_cast<unsigned char*>((reinterpret_cast<std::uintptr_t>(memory) + 1023) / 1024 * 1024);
  auto& barriers = *reinterpret_cast<Barriers*>(aligned);
  const Layout<N> layout(a.tokens);
  unsigned char *stages_x = aligned + 1024, *stages_w = stages_x + layout.x_depth * layout.x_stage;
  const Work<Product, N> work(a, epilogue.gated);
  allow_next();
  const int warp = warp_index();
  if (warp == consumers / 32) {
    if (elect()) make_barriers(barriers.full_w, barriers.empty_w, 0, layout.w_depth, consumers / 32);
    __syncwarp();
    come<threads>(0);  // weights are asked for before the others are there
    load_w(barriers, stages_w, layout, maps, work);
    return;
  }
  if (warp > consumers / 32) {
    if (elect()) make_barriers(barriers.full_x, barriers.empty_x, 0, layout.x_depth, consumers / 32);
    __syncwarp();
    meet<threads>(0);
    load_x(barriers, stages_x, layout, maps, work, a.tokens);
    return;
  }
  meet<threads>(0);
  wait_for_earlier();
  const int group = threadIdx.x / group_threads, in_group = threadIdx.x % group_threads;
  auto* handed = reinterpret_cast<float*>(stages_w + layout.w_depth * layout.w_stage) + in_group;
  RingPlace at_w, at_x;
  const int token = in_group / 32 * 16 + group * 8 + threadIdx.x % 32 / 4;
  const float scale = scale_of(a, norms.in, token);
  const bool whole = in_pairs(a, epilogue);
  for (int tile = blockIdx.x; tile < work.tiles; tile += gridDim.x) {
    Beside<N> beside;
    beside.fetch(a, epilogue, norms.out, token, tile * work.outputs, whole);
    float d[N / 2] = {};
    for (int i = 0; i < work.steps; ++i, at_w.next(layout.w_depth), at_x.next(layout.x_depth)) {
      const unsigned char *w = stages_w + at_w.stage * layout.w_stage,
                          *x = stages_x + at_x.stage * layout.x_stage;
      wait(barriers.full_w + at_w.stage, at_w.phase);
      wait(barriers.full_x + at_x.stage, at_x.phase);
      products_begin();
#pragma unroll
      for (int b = 0; b < boxes / 2; ++b) {
        const int box = group * (boxes / 2) + b;
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
    pin(d);
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
    if (token >= a.tokens) continue;
    if constexpr (!of_fp8<Product>) {
      if (norms.out.squares != nullptr) {
        store_normed<N>(sums, scale, a, norms.out, beside, token, tile, work.tiles);
        continue;
      }
    }
    if (whole) {
      store_token<N, true>(sums, scale, a, epilogue, beside.residual, token, tile * work.outputs);
    } else {
      store_token<N, false>(sums, scale, a, epilogue, beside.residual, token, tile * work.outputs);
    }
  }
#endif
}

template <int N, class Product>
void start(const Product& a, const Epilogue& epilogue, const Norms& norms, const StreamedMaps& maps,
           const Queue& queue) {
  const int tiles = Work<Product, N>(a, epilogue.gated).tiles;
  const auto blocks = static_cast<unsigned>(tiles < queue.processors ? tiles : queue.processors);
  launch(queue, &streamed<Product, N>, blocks, threads, most_shared, maps, a, epilogue, norms);
}

template <class Product>
void start_for(const Product& a, const Epilogue& epilogue, const Norms& norms, const StreamedMaps& maps,
               const Queue& queue) {
  switch (streamed_rows(epilogue.gated ? std::int64_t{2} * a.out : a.out, queue.processors)) {
    case 16:
      return start<16>(a, epilogue, norms, maps, queue);
    case 32:
      return start<32>(a, epilogue, norms, maps, queue);
    case 48:
      return start<48>(a, epilogue, norms, maps, queue);
    case 64:
      return start<64>(a, epilogue, norms, maps, queue);
    case 80:
      return start<80>(a, epilogue, norms, maps, queue);
    case 96:
      return start<96>(a, epilogue, norms, maps, queue);
    case 112:
      return start<112>(a, epilogue, norms, maps, queue);
    default:
      return start<128>(a, epilogue, norms, maps, queue);
  }
}

}  // namespace

void product_streamed(const Bf16Product& a, const Epilogue& epilogue, const Norms& norms,
                      const StreamedMaps& maps, const Queue& queue) {
  start_for(a, epilogue, norms, maps, queue);
}
void product_streamed(const Fp8Product& a, const Epilogue& epilogue, const StreamedMaps& maps,
                      const Queue& queue) {
  start_for(a, epilogue, {}, maps, queue);
}

}  // namespace inferometer::cuda
