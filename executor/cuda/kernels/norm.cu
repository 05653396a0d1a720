#include "executor/cuda/kernels/fp8.cuh"

namespace inferometer::cuda {
namespace {

constexpr int threads = 256;

__device__ float block_sum(float x) {
  __shared__ float parts[threads / 32];
  x = warp_sum(x);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = x;
  __syncthreads();
  float sum = 0;
#pragma unroll
  for (int w = 0; w < threads / 32; ++w) sum += parts[w];
  return sum;
}

/// A block normalises a row of at most 8 * threads * Pieces elements, which stay in registers.
template <int Pieces, bool Add>
__global__ void __launch_bounds__(threads) norm_row(AddRmsNormArguments a) {
  allow_next();
  Eight w[Pieces];  // constant: fetched while the kernel before ends
#pragma unroll
  for (int p = 0; p < Pieces; ++p) {
    const int at = (p * threads + static_cast<int>(threadIdx.x)) * 8;
    if (at < a.width) w[p] = *reinterpret_cast<const Eight*>(a.w + at);
  }
  wait_for_earlier();
  const std::int64_t row = blockIdx.x, from = Add && a.rows != nullptr ? a.rows[row] : row;
  Eight x[Pieces];
  float squares = 0;
#pragma unroll
  for (int p = 0; p < Pieces; ++p) {
    const int at = (p * threads + static_cast<int>(threadIdx.x)) * 8;
    if (at >= a.width) continue;
    Eight in = *reinterpret_cast<const Eight*>(a.x.data + from * a.x.stride + at);
    if constexpr (Add) {
      const Eight r = *reinterpret_cast<const Eight*>(a.residual.data + from * a.residual.stride + at);
      in = each(in, r, [](float u, float v) { return u + v; });
      *reinterpret_cast<Eight*>(a.sum.data + row * a.sum.stride + at) = in;
    }
    x[p] = in;
#pragma unroll
    for (int i = 0; i < 8; ++i) squares += to_float(in.v[i]) * to_float(in.v[i]);
  }
  const float scale = rsqrtf(block_sum(squares) / static_cast<float>(a.width) + a.eps);
  const float factor = a.q.data != nullptr ? factor_of(a.q.scale) : 0;
#pragma unroll
  for (int p = 0; p < Pieces; ++p) {
    const int at = (p * threads + static_cast<int>(threadIdx.x)) * 8;
    if (at >= a.width) continue;
    const Eight out = each(x[p], w[p], [&](float v, float weight) { return v * scale * weight; });
    if (a.q.data != nullptr) {
      *reinterpret_cast<uint2*>(a.q.data + row * a.q.stride + at) = to_fp8(out, factor);
    } else {
      *reinterpret_cast<Eight*>(a.y.data + row * a.y.stride + at) = out;
    }
  }
}

/// Any width and alignment: a warp normalises a group, reading it twice.
template <bool Add>
__global__ void __launch_bounds__(threads) norm_group(AddRmsNormArguments a, std::int64_t groups) {
  take_turn();
  const std::int64_t group = (static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x) / 32;
  const int lane = threadIdx.x % 32;
  if (group >= a.tokens * groups) return;
  const std::int64_t row = group / groups, from = group % groups * a.width;
  const std::int64_t read = Add && a.rows != nullptr ? a.rows[row] : row;
  const Bf16* x = a.x.data + read * a.x.stride + from;
  Bf16* sum = a.sum.data + row * a.sum.stride + from;
  float squares = 0;
  for (std::int64_t i = lane; i < a.width; i += 32) {
    float v = to_float(x[i]);
    if constexpr (Add) {
      const Bf16 stored = to_bf16(v + to_float(a.residual.data[read * a.residual.stride + i]));
      sum[i] = stored;
      v = to_float(stored);
    }
    squares += v * v;
  }
  const float scale = rsqrtf(warp_sum(squares) / static_cast<float>(a.width) + a.eps);
  const float factor = a.q.data != nullptr ? factor_of(a.q.scale) : 0;
  for (std::int64_t i = lane; i < a.width; i += 32) {
    const Bf16 y = to_bf16(to_float(Add ? sum[i] : x[i]) * scale * to_float(a.w[i]));
    if (a.q.data != nullptr) {
      a.q.data[row * a.q.stride + from + i] = to_fp8(to_float(y) * factor);
    } else {
      a.y.data[row * a.y.stride + from + i] = y;
    }
  }
}

template <bool Add>
void norm(const AddRmsNormArguments& a, std::int64_t groups, const Queue& queue) {
  const bool wide = groups == 1 && vectors(a.x, a.width) &&
                    (a.q.data != nullptr ? vectors(a.q) : vectors(a.y, a.width)) &&
                    vectors(Rows2D<const Bf16>{a.w, 8}, a.width) &&
                    (!Add || (vectors(a.residual, a.width) && vectors(a.sum, a.width)));
  const auto rows = static_cast<unsigned>(a.tokens);
  if (wide && a.width <= 8 * threads) return launch(queue, &norm_row<1, Add>, rows, threads, 0, a);
  if (wide && a.width <= 16 * threads) return launch(queue, &norm_row<2, Add>, rows, threads, 0, a);
  if (wide && a.width <= 32 * threads) return launch(queue, &norm_row<4, Add>, rows, threads, 0, a);
  launch(queue, &norm_group<Add>, blocks_for(a.tokens * groups, threads / 32), threads, 0, a, groups);
}

}  // namespace

void rms_norm(const RmsNormArguments& a, const Queue& queue) {
  norm<false>({.x = a.x, .w = a.w, .y = a.y, .tokens = a.tokens, .width = a.width, .eps = a.eps, .q = a.q},
              a.groups, queue);
}
void add_rms_norm(const AddRmsNormArguments& a, const Queue& queue) { norm<true>(a, 1, queue); }

}  // namespace inferometer::cuda
