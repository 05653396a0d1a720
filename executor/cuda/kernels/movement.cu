#include <climits>

#include "executor/cuda/kernels/device.cuh"
#include "model/seeded.hpp"

namespace inferometer::cuda {
namespace {

constexpr int threads = 256;
constexpr int largest_run = 8192;  ///< elements of a row that a block looks through

/// The row that is looked up is x's, or (Scatter) y's.
template <int Each, bool Scatter>
__global__ void __launch_bounds__(threads) move_rows(GatherArguments a) {
  take_turn();
  struct alignas(Each * 2) Piece {
    Bf16 v[Each];
  };
  const std::int64_t pieces = a.width / Each;
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (index >= a.count * pieces) return;
  const std::int64_t row = index / pieces, at = index % pieces * Each;
  const std::int64_t looked_up = a.rows[row];
  const std::int64_t from = Scatter ? row : looked_up, to = Scatter ? looked_up : row;
  *reinterpret_cast<Piece*>(a.y.data + to * a.y.stride + at) =
      *reinterpret_cast<const Piece*>(a.x.data + from * a.x.stride + at);
}

template <bool Scatter>
void move(const GatherArguments& a, const Queue& queue) {
  if (vectors(a.x, a.width) && vectors(a.y, a.width)) {
    launch(queue, &move_rows<8, Scatter>, blocks_for(a.count * a.width / 8, threads), threads, 0, a);
  } else {
    launch(queue, &move_rows<1, Scatter>, blocks_for(a.count * a.width, threads), threads, 0, a);
  }
}

template <class T>
__global__ void __launch_bounds__(threads) fill(SeededArguments a) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * threads;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
       i < a.count * a.columns; i += step) {
    std::int64_t row = a.source_row + i / a.columns * a.source_stride;
    std::int64_t column = a.source_column + i % a.columns;
    if (a.transposed) {
      const std::int64_t swapped = row;
      row = column;
      column = swapped;
    }
    const std::uint64_t place =
        a.matrix << 48 | static_cast<std::uint64_t>(row) << 24 | static_cast<std::uint64_t>(column);
    const float value = __fadd_rn(a.center, __fmul_rn(a.size, seeded_uniform(a.key, place)));
    if constexpr (sizeof(T) == 4) {
      static_cast<T*>(a.out)[i] = value;
    } else {
      static_cast<T*>(a.out)[i] = to_bf16(value);
    }
  }
}

/// What a thread has seen the most of so far, in the order of its elements.
struct Largest {
  unsigned ordered = 0;
  int at = 0;

  __device__ __forceinline__ void see(float x, int i) {
    const int bits = __float_as_int(x);
    const unsigned value = static_cast<unsigned>(
        bits ^ (bits >> 31 | INT_MIN));  // as x compares, but that -0 < 0 and NaN is most
    if (value <= ordered) return;
    ordered = value;
    at = i;
  }
  /// Of the keys the largest is that of the first of the largest elements.
  __device__ __forceinline__ std::uint64_t key() const {
    return static_cast<std::uint64_t>(ordered) << 32 | (0xffffffffU - static_cast<unsigned>(at));
  }
};
__device__ __forceinline__ std::uint64_t warp_largest(std::uint64_t key) {
#pragma unroll
  for (int d = 16; d > 0; d /= 2) {
    const std::uint64_t other = __shfl_xor_sync(~0U, key, d);
    key = other > key ? other : key;
  }
  return key;
}

/// A block per run of a row; the one that ends last names the row's best.
template <bool Vectors>
__global__ void __launch_bounds__(threads) find_largest(ArgmaxArguments a) {
  take_turn();
  const std::int64_t row = blockIdx.x;
  const int from = static_cast<int>(blockIdx.y) * largest_run,
            to = min(from + largest_run, static_cast<int>(a.width));
  const float* x = a.x + row * a.stride;
  Largest mine;
  if constexpr (Vectors) {
#pragma unroll
    for (int p = 0; p < largest_run / threads / 4; ++p) {
      const int i = from + (p * threads + static_cast<int>(threadIdx.x)) * 4;
      if (i >= to) continue;
      const float4 four = *reinterpret_cast<const float4*>(x + i);
      mine.see(four.x, i);
      mine.see(four.y, i + 1);
      mine.see(four.z, i + 2);
      mine.see(four.w, i + 3);
    }
  } else {
    for (int i = from + static_cast<int>(threadIdx.x); i < to; i += threads) mine.see(x[i], i);
  }
  __shared__ std::uint64_t best[threads / 32];
  const std::uint64_t of_warp = warp_largest(mine.key());
  if (threadIdx.x % 32 == 0) best[threadIdx.x / 32] = of_warp;
  __syncthreads();
  if (threadIdx.x >= 32) return;
  const std::uint64_t of_block = warp_largest(threadIdx.x < threads / 32 ? best[threadIdx.x] : 0);
  if (threadIdx.x != 0) return;
  auto* largest = reinterpret_cast<unsigned long long*>(a.largest + row);
  atomicMax(largest, of_block);
  __threadfence();
  if (atomicAdd(a.ended + row, 1U) + 1 < gridDim.y) return;
  __threadfence();
  a.ids[row] = static_cast<std::int32_t>(0xffffffffU - static_cast<unsigned>(atomicExch(largest, 0ULL)));
  a.ended[row] = 0;
}

}  // namespace

void gather(const GatherArguments& a, const Queue& queue) { move<false>(a, queue); }
void scatter(const GatherArguments& a, const Queue& queue) { move<true>(a, queue); }

void fill_seeded(const SeededArguments& a, const Queue& queue) {
  const std::int64_t blocks = (a.count * a.columns + threads - 1) / threads;
  const auto grid = static_cast<unsigned>(blocks < 4096 ? blocks : 4096);
  a.f32 ? fill<float><<<grid, threads, 0, queue.stream>>>(a)
        : fill<Bf16><<<grid, threads, 0, queue.stream>>>(a);
}

void argmax(const ArgmaxArguments& a, const Queue& queue) {
  const bool vectors =
      reinterpret_cast<std::uintptr_t>(a.x) % 16 == 0 && a.stride % 4 == 0 && a.width % 4 == 0;
  launch(queue, vectors ? &find_largest<true> : &find_largest<false>,
         dim3(static_cast<unsigned>(a.tokens), blocks_for(a.width, largest_run)), threads, 0, a);
}

}  // namespace inferometer::cuda
