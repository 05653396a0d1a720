#pragma once
#include <cuda_runtime.h>

#include <algorithm>
#include <map>
#include <vector>

#include "executor/cuda/cublaslt.hpp"
#include "executor/cuda/gpu.hpp"
#include "executor/cuda/kernels/ceilings.hpp"
#include "executor/cuda/kernels/copy.hpp"
#include "executor/cuda/kernels/packing.hpp"
#include "model/nearest_rank.hpp"
#include "roofline/work.hpp"

// What a GPU's memory and matrix units can do at all: reading and copying 4 GiB, and products by cuBLASLt
// after two seconds of load.
namespace inferometer {

/// Median seconds of f by events, after a first run.
template <class F>
double seconds_of(int repeats, F f) {
  cudaEvent_t start = nullptr, end = nullptr;
  cudaEventCreate(&start);
  cudaEventCreate(&end);
  std::vector<double> times;
  for (int i = 0; i <= repeats; ++i) {
    cudaEventRecord(start);
    f();
    cudaEventRecord(end);
    cudaEventSynchronize(end);
    float ms = 0;
    cudaEventElapsedTime(&ms, start, end);
    if (i > 0) times.push_back(ms * 1e-3);
  }
  cudaEventDestroy(start);
  cudaEventDestroy(end);
  return nearest_rank(std::move(times), 0.5);
}

struct Ceilings {
  double read = 0;
  double copy = 0, kernel_copy = 0;                   ///< the driver's and ours, counted twice
  std::map<std::int64_t, double> matrix, matrix_fp8;  ///< rows -> [FLOP/s]
  /// Of the fewest rows measured that are at least as many.
  double rate(const Work& work) const {
    const auto& rates = work.product && work.dtype == DType::fp8 ? matrix_fp8 : matrix;
    const auto it = work.product ? rates.lower_bound(work.m) : rates.end();
    return it == rates.end() ? rates.rbegin()->second : it->second;
  }
};

/// Of a product of `tokens` rows by 28672 x 4096 weights after two seconds of load [FLOP/s].
inline double matrix_rate(std::int64_t tokens, bool fp8) {
  constexpr std::int64_t in = 4096, out = 28672;
  auto x = cuda::DeviceBuffer::of(Bytes{tokens * in * 2}), w = cuda::DeviceBuffer::of(Bytes{out * in * 2}),
       q = cuda::DeviceBuffer::of(Bytes{(tokens + out) * in}), scales = cuda::DeviceBuffer::of(Bytes{512}),
       y = cuda::DeviceBuffer::of(Bytes{tokens * out * 2});
  auto lt = cuda::CublasLt::open();
  require(x && w && q && scales && y && lt, "memory for the ceilings");
  cuda::fill_seeded({.out = x->data(), .count = tokens, .columns = in, .key = 1}, {});
  cuda::fill_seeded({.out = w->data(), .count = out, .columns = in, .key = 2, .size = 0.01F}, {});
  cuda::Product product{.x = x->data(),
                        .w = w->data(),
                        .y = y->data(),
                        .tokens = tokens,
                        .in = in,
                        .out = out,
                        .x_stride = in,
                        .y_stride = out};
  if (fp8) {
    auto* to = reinterpret_cast<std::uint8_t*>(q->data());
    auto* scale = reinterpret_cast<float*>(scales->data());
    cuda::quantize_fp8_weight({reinterpret_cast<const cuda::Bf16*>(x->data()), to, scale, tokens * in}, {});
    cuda::quantize_fp8_weight(
        {reinterpret_cast<const cuda::Bf16*>(w->data()), to + tokens * in, scale + 64, out * in}, {});
    product.x = to;
    product.w = to + tokens * in;
    product.x_scale = scale;
    product.w_scale = scale + 64;
  }
  const auto multiply = [&] { require(lt->multiply(product, nullptr).has_value(), "a product"); };
  const double once = seconds_of(3, multiply);
  seconds_of(static_cast<int>(2 / once) + 1, multiply);
  return 2.0 * static_cast<double>(tokens * in * out) / seconds_of(20, multiply);
}

inline Ceilings measure_ceilings(const cuda::Gpu& gpu) {
  Ceilings c;
  constexpr std::int64_t bytes = std::int64_t{4} << 30;
  {
    auto a = cuda::DeviceBuffer::of(Bytes{bytes}), b = cuda::DeviceBuffer::of(Bytes{bytes});
    require(a && b, "memory for the ceilings");
    cuda::fill_seeded({.out = a->data(), .count = bytes / 8192, .columns = 4096, .key = 3}, {});
    c.copy = 2 * bytes /
             seconds_of(10, [&] { cudaMemcpyAsync(b->data(), a->data(), bytes, cudaMemcpyDeviceToDevice); });
    c.kernel_copy = 2 * bytes / seconds_of(10, [&] {
                      cuda::copy_within_device(a->data(), b->data(), bytes,
                                               {.stream = nullptr, .processors = gpu.processors});
                    });
    c.read = bytes / seconds_of(10, [&] {
               cuda::read_all(a->data(), bytes, b->data(), {.stream = nullptr, .processors = gpu.processors});
             });
  }
  for (const std::int64_t tokens : {64, 256, 2048, 16384}) {
    c.matrix[tokens] = matrix_rate(tokens, false);
    c.matrix_fp8[tokens] = matrix_rate(tokens, true);
  }
  return c;
}

}  // namespace inferometer
