#include "executor/cuda/kernels/quantize.hpp"

#include "executor/cuda/kernels/fp8.cuh"

namespace inferometer::cuda {
namespace {

constexpr int threads = 256;
constexpr unsigned most_blocks = 1024;
constexpr float largest_fp8 = 448.0F;

template <int Each>
__global__ void __launch_bounds__(threads) quantize(QuantizeArguments a) {
  take_turn();
  const std::int64_t pieces = a.width / Each;
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (index >= a.tokens * pieces) return;
  const std::int64_t row = index / pieces, at = index % pieces * Each;
  const Bf16* x = a.x.data + row * a.x.stride + at;
  std::uint8_t* q = a.q.data + row * a.q.stride + at;
  const float factor = factor_of(a.q.scale);
  if constexpr (Each == 8) {
    *reinterpret_cast<uint2*>(q) = to_fp8(*reinterpret_cast<const Eight*>(x), factor);
  } else {
    *q = to_fp8(to_float(*x) * factor);
  }
}

/// Positive floats are ordered as their bits are.
__global__ void __launch_bounds__(threads)
    find_scale(In x, std::int64_t tokens, std::int64_t width, float* scale) {
  take_turn();
  float largest = 0;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x; i < tokens * width;
       i += static_cast<std::int64_t>(gridDim.x) * threads)
    largest = fmaxf(largest, fabsf(to_float(x.data[i / width * x.stride + i % width])));
  largest = warp_max(largest);
  if (threadIdx.x % 32 == 0)
    atomicMax(reinterpret_cast<unsigned*>(scale), __float_as_uint(largest / largest_fp8));
}

}  // namespace

void quantize_fp8(const QuantizeArguments& a, const Queue& queue) {
  if (vectors(a.x, a.width) && vectors(a.q)) {
    launch(queue, &quantize<8>, blocks_for(a.tokens * a.width / 8, threads), threads, 0, a);
  } else {
    launch(queue, &quantize<1>, blocks_for(a.tokens * a.width, threads), threads, 0, a);
  }
}

void find_input_scale(In x, std::int64_t tokens, std::int64_t width, float* scale, const Queue& queue) {
  const unsigned enough = blocks_for(tokens * width, threads);
  cudaMemsetAsync(scale, 0, sizeof(float), queue.stream);
  launch(queue, &find_scale, enough < most_blocks ? enough : most_blocks, threads, 0, x, tokens, width,
         scale);
}

}  // namespace inferometer::cuda
