#include "executor/cuda/kernels/experts.hpp"
#include "executor/cuda/kernels/flags.cuh"
#include "executor/cuda/kernels/fp8.cuh"
#include "executor/cuda/kernels/hopper.cuh"
#include "executor/cuda/kernels/row_dot.cuh"

namespace inferometer::cuda {
namespace {

constexpr int warps = 8, threads = warps * 32, most_stages = 8;
/// Bytes of a copy, at most.
constexpr int most_chunk = 32768 / warps;
constexpr int barriers = warps * most_stages * 8, most_shared = 226 * 1024 - 1024;

/// Of the rows of one of the two products. [bytes]
struct RowShape {
  int bytes = 0, chunk = 0;
};
/// How shared memory is dealt out: rings of all warps, what is multiplied, barriers.
struct Layout {
  RowShape gate_up, down;
  int stage = 0, stages = 0;  ///< of a warp's ring
  int rows = 0;               ///< bytes of what is multiplied
};
RowShape shape_of(int bytes) {
  const int pieces = (bytes + most_chunk - 1) / most_chunk;
  return {bytes, (bytes / 16 + pieces - 1) / pieces * 16};
}
Layout layout_of(int x_bytes, int h_bytes, int top_k) {
  Layout l{.gate_up = shape_of(x_bytes), .down = shape_of(h_bytes)};
  l.rows = x_bytes > top_k * h_bytes ? x_bytes : top_k * h_bytes;
  l.stage = l.gate_up.chunk > l.down.chunk ? l.gate_up.chunk : l.down.chunk;
  const int room = (most_shared - barriers - l.rows) / warps / l.stage;
  l.stages = room < most_stages ? room : most_stages;
  return l;
}

#ifdef INFEROMETER_HOPPER
/// The chunks of weights in the order in which a warp multiplies them: for each of its (choice, element) the
/// row of the gate and that of up; then for each of its outputs the row of each choice.
struct Chunks {
  const OneTokenExperts& a;
  const Layout& layout;
  const int* ids;
  int step, first;
  int unit, part = 0, at = 0;
  bool down = false;

  __device__ Chunks(const OneTokenExperts& arguments, const Layout& l, const int* chosen, int warp, int all)
      : a(arguments), layout(l), ids(chosen), step(all), first(warp), unit(warp) {
    turn_to_down();
  }
  __device__ __forceinline__ void turn_to_down() {
    if (down || unit < a.top_k * a.width) return;
    down = true;
    unit = first;
  }
  __device__ __forceinline__ bool left() const { return !down || unit < a.out; }
  __device__ __forceinline__ int bytes() const {
    const RowShape& row = down ? layout.down : layout.gate_up;
    return min(row.chunk, row.bytes - at);
  }
  __device__ __forceinline__ const unsigned char* source() const {
    if (down) {
      const auto row = static_cast<std::int64_t>(ids[part]) * a.out + unit;
      return static_cast<const unsigned char*>(a.down) + row * layout.down.bytes + at;
    }
    const int choice = unit / a.width, element = unit - choice * a.width;
    const auto row = (static_cast<std::int64_t>(ids[choice]) * 2 + part) * a.width + element;
    return static_cast<const unsigned char*>(a.gate_up) + row * layout.gate_up.bytes + at;
  }
  __device__ __forceinline__ void next() {
    at += bytes();
    if (at < (down ? layout.down : layout.gate_up).bytes) return;
    at = 0;
    if (++part < (down ? a.top_k : 2)) return;
    part = 0;
    unit += step;
    turn_to_down();
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
    copy_bulk(stage + s * bytes, chunks.source(), size, full + s);
    chunks.next();
  }
  /// The dot product of the next row of weights and x, for all lanes. Lane 0 keeps the ring full.
  template <bool Fp8>
  __device__ __forceinline__ float dot(const uint4* x, const RowShape& row, Chunks& chunks) {
    const int lane = threadIdx.x % 32;
    RowDot<Fp8> sum;
    for (int from = 0; from < row.bytes; from += row.chunk) {
      const int vectors = min(row.chunk, row.bytes - from) / 16;
      wait(full + at, phase);
      __syncwarp();
      const auto* w = reinterpret_cast<const uint4*>(stage + at * bytes);
#pragma unroll 4
      for (int i = lane; i < (vectors + 31) / 32 * 32; i += 32) {
        const bool there = i < vectors;
        sum.add(there ? w[i] : uint4{}, there ? x[from / 16 + i] : uint4{});
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
  auto* full = reinterpret_cast<std::uint64_t*>(reinterpret_cast<unsigned char*>(x) + layout.rows);
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
  if (threadIdx.x < a.top_k) ids[threadIdx.x] = __ldcg(a.ids + threadIdx.x);
  __syncthreads();
  // Neighbours along the rows of weights are in different blocks, so that the last few keep all busy.
  const int first = warp * static_cast<int>(gridDim.x) + static_cast<int>(blockIdx.x),
            step = warps * static_cast<int>(gridDim.x);
  Chunks chunks(a, layout, ids, first, step);
  if (lane == 0) {
    for (int s = 0; s < layout.stages; ++s) ring.load(s, chunks);
  }
  const auto stage_rows = [&](const void* from, int bytes) {
    for (int i = threadIdx.x; i < bytes / 16; i += threads)
      x[i] = __ldcg(static_cast<const uint4*>(from) + i);
    __syncthreads();
  };
  if (threadIdx.x < a.top_k) {
    const int id = ids[threadIdx.x];
    weights[threadIdx.x] = __ldcg(a.weights + threadIdx.x);
    gate_up_scale[threadIdx.x] = Fp8 ? *a.x_scale * a.gate_up_scales[id] : 1;
    down_scale[threadIdx.x] = Fp8 ? *a.h_scale * a.down_scales[id] : 1;
  }
  const float factor = Fp8 ? factor_of(a.h_scale) : 0;
  stage_rows(a.x, layout.gate_up.bytes);
  for (int unit = first; unit < a.top_k * a.width; unit += step) {
    const float scale = gate_up_scale[unit / a.width];
    const float gate = to_float(to_bf16(ring.dot<Fp8>(x, layout.gate_up, chunks) * scale));
    const float up = to_float(to_bf16(ring.dot<Fp8>(x, layout.gate_up, chunks) * scale));
    const Bf16 h = to_bf16(gate / (1.0F + __expf(-gate)) * up);
    if (lane == 0 && Fp8) static_cast<std::uint8_t*>(a.h)[unit] = to_fp8(to_float(h) * factor);
    if (lane == 0 && !Fp8) static_cast<Bf16*>(a.h)[unit] = h;
  }
  // The ring is filled with rows of the second product by now: its stream goes on meanwhile.
  meet_grid(a.counters);
  stage_rows(a.h, a.top_k * layout.down.bytes);
  for (int unit = first; unit < a.out; unit += step) {
    float y = 0;
    for (int k = 0; k < a.top_k; ++k) {
      const float sum = ring.dot<Fp8>(x + k * (layout.down.bytes / 16), layout.down, chunks);
      y = fmaf(weights[k], to_float(to_bf16(sum * down_scale[k])), y);
    }
    if (lane == 0) a.y[unit] = to_bf16(y);
  }
#endif
}

}  // namespace

bool one_token_experts_fit(std::int64_t x_bytes, std::int64_t h_bytes, std::int64_t top_k) {
  if (x_bytes % 16 != 0 || h_bytes % 16 != 0 || x_bytes + top_k * h_bytes > most_shared) return false;
  return layout_of(static_cast<int>(x_bytes), static_cast<int>(h_bytes), static_cast<int>(top_k)).stages >= 2;
}

void one_token_experts(const OneTokenExperts& a, const Queue& queue) {
  const int element = a.fp8 ? 1 : 2;
  const Layout layout = layout_of(a.out * element, a.width * element, a.top_k);
  const auto shared = static_cast<std::size_t>(warps * layout.stages * layout.stage + layout.rows + barriers);
  launch(queue, a.fp8 ? &experts_one_token<true> : &experts_one_token<false>,
         static_cast<unsigned>(queue.processors), threads, shared, a, layout);
}

}  // namespace inferometer::cuda
