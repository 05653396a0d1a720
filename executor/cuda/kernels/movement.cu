#include "executor/cuda/kernels/device.cuh"
#include "model/seeded.hpp"

namespace inferometer::cuda {
namespace {

constexpr int threads = 256;

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

/// A block per run of 2048 elements of a row; the row's best is kept as (ordered value, ~index), so that the
/// largest key is the first of the largest elements.
__global__ void __launch_bounds__(threads) find_largest(ArgmaxArguments a) {
  take_turn();
  const std::int64_t row = blockIdx.x, from = static_cast<std::int64_t>(blockIdx.y) * 2048;
  const float* x = a.x + row * a.stride;
  std::uint64_t best = 0;
  for (std::int64_t i = from + threadIdx.x; i < from + 2048 && i < a.width; i += threads) {
    const unsigned bits = __float_as_uint(x[i]);
    const unsigned ordered = (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
    const std::uint64_t key =
        static_cast<std::uint64_t>(ordered) << 32 | (0xffffffffU - static_cast<unsigned>(i));
    best = key > best ? key : best;
  }
#pragma unroll
  for (int d = 16; d > 0; d /= 2) {
    const std::uint64_t other = __shfl_xor_sync(~0U, best, d);
    best = other > best ? other : best;
  }
  if (threadIdx.x % 32 == 0) atomicMax(reinterpret_cast<unsigned long long*>(a.workspace + row), best);
}
__global__ void __launch_bounds__(threads) name_largest(ArgmaxArguments a) {
  take_turn();
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (row >= a.tokens) return;
  a.ids[row] = static_cast<std::int32_t>(0xffffffffU - static_cast<unsigned>(a.workspace[row]));
  a.workspace[row] = 0;
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
  launch(queue, &find_largest, dim3(static_cast<unsigned>(a.tokens), blocks_for(a.width, 2048)), threads, 0,
         a);
  launch(queue, &name_largest, blocks_for(a.tokens, threads), threads, 0, a);
}

}  // namespace inferometer::cuda
