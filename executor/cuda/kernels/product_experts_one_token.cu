#include "executor/cuda/kernels/experts.hpp"
#include "executor/cuda/kernels/flags.cuh"
#include "executor/cuda/kernels/fp8.cuh"
#include "executor/cuda/kernels/hopper.cuh"
#include "executor/cuda/kernels/row_dot.cuh"

namespace inferometer::cuda {
namespace {

constexpr int warps = 8, threads = warps * 32, most_stages = 8;
/// Bytes of a copy, at most: whole turns of the unrolled loop that multiplies them.
constexpr int most_chunk = 8 * 32 * 16;
constexpr int barriers = warps * most_stages * 8, most_shared = 226 * 1024 - 1024;

/// How shared memory is dealt out: rings of all warps, what is multiplied, barriers. [bytes]
struct Layout {
  int gate_up = 0, down = 0;  ///< of a row of weights
  int values = 0;             ///< of what is multiplied, 2 a value
  int stage = 0, stages = 0;  ///< of a warp's ring
};
Layout layout_of(std::int64_t out, std::int64_t width, std::int64_t top_k, bool fp8) {
  const int element = fp8 ? 1 : 2;
  Layout l{.gate_up = static_cast<int>(out) * element, .down = static_cast<int>(width) * element};
  l.values = 2 * static_cast<int>(out > top_k * width ? out : top_k * width);
  const int longest = l.gate_up > l.down ? l.gate_up : l.down;
  l.stage = longest < most_chunk ? longest : most_chunk;
  const int room = (most_shared - barriers - l.values) / warps / l.stage;
  l.stages = room < most_stages ? room : most_stages;
  return l;
}

#ifdef INFEROMETER_HOPPER
/// An element of h: the at-th of a choice. After the last choice there are none.
struct Element {
  int choice = 0, at = 0;

  __device__ __forceinline__ void advance(int by, int width) {
    at += by;
    for (; at >= width; at -= width) ++choice;
  }
};

/// The chunks of weights in the order in which a warp multiplies them: for each of its elements of h the row
/// of the gate and that of up; then for each of its outputs the row of each choice.
struct Chunks {
  const OneTokenExperts& a;
  const Layout& layout;
  const int* ids;
  int first, step;
  Element element;  ///< of h; then an output
  bool up = false, down = false;
  int rest = 0;  ///< bytes of the row from here
  const unsigned char* source = nullptr;

  __device__ Chunks(const OneTokenExperts& arguments, const Layout& l, const int* chosen, int warp, int all)
      : a(arguments), layout(l), ids(chosen), first(warp), step(all) {
    element.advance(first, a.width);
    start_unit();
  }
  __device__ __forceinline__ bool left() const { return !down || element.at < a.out; }
  __device__ __forceinline__ int bytes() const { return min(rest, most_chunk); }
  __device__ __forceinline__ void next() {
    const int done = bytes();
    source += done;
    rest -= done;
    if (rest > 0) return;
    if (!down && !up) {
      up = true;
      rest = layout.gate_up;
      source += static_cast<std::int64_t>(a.width - 1) * rest;
      return;
    }
    up = false;
    if (!down) {
      element.advance(step, a.width);
    } else if (++element.choice == a.top_k) {
      element = {0, element.at + step};
    }
    start_unit();
  }

 private:
  __device__ __forceinline__ void start_unit() {
    if (!down && element.choice >= a.top_k) {
      down = true;
      element = {0, first};
    }
    rest = down ? layout.down : layout.gate_up;
    const auto* w = static_cast<const unsigned char*>(down ? a.down : a.gate_up);
    source =
        w +
        (static_cast<std::int64_t>(ids[element.choice]) * (down ? a.out : 2 * a.width) + element.at) * rest;
  }
};

/// A warp's ring of stages.
struct Ring {
  unsigned char* stage;
  std::uint64_t* full;
  int bytes, stages;
  int at = 0;
  unsigned phase = 0;

  __device__ __forceinline__ void load(int s, Chunks& chunks) const {
    if (!chunks.left()) return;
    const auto size = static_cast<unsigned>(chunks.bytes());
    expect_bytes(full + s, size);
    copy_bulk(stage + s * bytes, chunks.source, size, full + s);
    chunks.next();
  }
  /// The dot product of the next row of weights and x, for all lanes. Lane 0 keeps the ring full.
  template <bool Fp8>
  __device__ __forceinline__ float dot(const uint4* x, int row_bytes, Chunks& chunks) {
    using Stored = typename RowDot<Fp8>::Stored;
    constexpr int size = sizeof(Stored);
    const int lane = threadIdx.x % 32;
    RowDot<Fp8> sum;
    x += lane;
    for (int rest = row_bytes; rest > 0; rest -= most_chunk, x += most_chunk / size) {
      const int vectors = min(rest, most_chunk) / size, whole = vectors / 32 * 32;
      wait(full + at, phase);
      __syncwarp();
      const auto* w = reinterpret_cast<const Stored*>(stage + at * bytes) + lane;
#pragma unroll 8
      for (int i = 0; i < whole; i += 32) sum.add(w[i], x[i]);
      if (whole < vectors) {
        const bool there = whole + lane < vectors;
        sum.add(there ? w[whole] : Stored{}, there ? x[whole] : uint4{});
      }
      __syncwarp();
      if (lane == 0) load(at, chunks);
      if (++at == stages) {
        at = 0;
        phase ^= 1;
      }
    }
    return warp_sum(sum.of_lane(lane));
  }
};

/// Values as they are multiplied into shared memory, by all threads of a block; up to most_ahead loads of a
/// thread are on their way before it uses any.
template <bool Fp8>
__device__ __forceinline__ void stage_values(uint4* x, const void* from, int bytes) {
  using Stored = typename RowDot<Fp8>::Stored;
  constexpr int most_ahead = 16;
  const auto* values = static_cast<const Stored*>(from);
  const int vectors = bytes / static_cast<int>(sizeof(Stored));
  for (int first = threadIdx.x; first < vectors; first += threads * most_ahead) {
    Stored some[most_ahead];
#pragma unroll
    for (int n = 0; n < most_ahead; ++n) {
      if (first + n * threads < vectors) some[n] = __ldcg(values + first + n * threads);
    }
#pragma unroll
    for (int n = 0; n < most_ahead; ++n) {
      if (first + n * threads < vectors) x[first + n * threads] = RowDot<Fp8>::widen(some[n]);
    }
  }
}
#endif

template <bool Fp8>
__global__ void __launch_bounds__(threads, 1)
    experts_one_token(const __grid_constant__ OneTokenExperts a, const __grid_constant__ Layout layout) {
#ifdef INFEROMETER_HOPPER
  extern __shared__ __align__(128) unsigned char memory[];
  __shared__ int ids[most_chosen];
  __shared__ float weights[most_chosen], gate_up_scale[most_chosen], down_scale[most_chosen];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, ring_bytes = layout.stages * layout.stage;
  auto* x = reinterpret_cast<uint4*>(memory + warps * ring_bytes);
  auto* full = reinterpret_cast<std::uint64_t*>(reinterpret_cast<unsigned char*>(x) + layout.values);
  Ring ring{.stage = memory + warp * ring_bytes,
            .full = full + warp * most_stages,
            .bytes = layout.stage,
            .stages = layout.stages};
  allow_next();
  if (lane == 0) {
    for (int s = 0; s < layout.stages; ++s) init_barrier(ring.full + s, 1);
    publish_barriers();
  }
  wait_for_earlier();
  const bool chosen = threadIdx.x < a.top_k;
  const int id = chosen ? __ldcg(a.ids + threadIdx.x) : 0;
  const float weight = chosen ? __ldcg(a.weights + threadIdx.x) : 0;
  stage_values<Fp8>(x, a.x, layout.gate_up);
  if (chosen) {
    ids[threadIdx.x] = id;
    weights[threadIdx.x] = weight;
  }
  __syncthreads();
  // Neighbours along the rows of weights are in different blocks, so that the last few keep all busy.
  const int first = warp * static_cast<int>(gridDim.x) + static_cast<int>(blockIdx.x),
            step = warps * static_cast<int>(gridDim.x);
  Chunks chunks(a, layout, ids, first, step);
  if (lane == 0) {
    for (int s = 0; s < layout.stages; ++s) ring.load(s, chunks);
  }
  if (chosen) {
    gate_up_scale[threadIdx.x] = Fp8 ? *a.x_scale * a.gate_up_scales[id] : 1;
    down_scale[threadIdx.x] = Fp8 ? *a.h_scale * a.down_scales[id] : 1;
  }
  const float factor = Fp8 ? factor_of(a.h_scale) : 0;
  __syncthreads();
  Element e;
  for (e.advance(first, a.width); e.choice < a.top_k; e.advance(step, a.width)) {
    const float scale = gate_up_scale[e.choice];
    const float gate = to_float(to_bf16(ring.dot<Fp8>(x, layout.gate_up, chunks) * scale));
    const float up = to_float(to_bf16(ring.dot<Fp8>(x, layout.gate_up, chunks) * scale));
    const Bf16 h = to_bf16(gate_silu(gate, up));
    const int at = e.choice * a.width + e.at;
    if (lane == 0 && Fp8) static_cast<std::uint8_t*>(a.h)[at] = to_fp8(to_float(h) * factor);
    if (lane == 0 && !Fp8) static_cast<Bf16*>(a.h)[at] = h;
  }
  // The ring is filled with rows of the second product by now: its stream goes on meanwhile.
  meet_grid(a.counters);
  stage_values<Fp8>(x, a.h, a.top_k * layout.down);
  __syncthreads();
  for (int out = first; out < a.out; out += step) {
    float y = 0;
    for (int k = 0; k < a.top_k; ++k) {
      const float sum = ring.dot<Fp8>(x + k * (a.width / 8), layout.down, chunks);
      y = fmaf(weights[k], to_float(to_bf16(sum * down_scale[k])), y);
    }
    if (lane == 0) a.y[out] = to_bf16(y);
  }
#endif
}

}  // namespace

bool one_token_experts_fit(std::int64_t out, std::int64_t width, std::int64_t top_k, bool fp8) {
  const std::int64_t whole = fp8 ? 16 : 8;
  if (out % whole != 0 || width % whole != 0 || 2 * (out + top_k * width) > most_shared) return false;
  return layout_of(out, width, top_k, fp8).stages >= 2;
}

void one_token_experts(const OneTokenExperts& a, const Queue& queue) {
  const Layout layout = layout_of(a.out, a.width, a.top_k, a.fp8);
  const auto shared =
      static_cast<std::size_t>(warps * layout.stages * layout.stage + layout.values + barriers);
  launch(queue, a.fp8 ? &experts_one_token<true> : &experts_one_token<false>,
         static_cast<unsigned>(queue.processors), threads, shared, a, layout);
}

}  // namespace inferometer::cuda
