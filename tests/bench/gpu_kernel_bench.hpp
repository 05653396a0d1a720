#pragma once
#include <benchmark/benchmark.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "executor/cuda/cublaslt.hpp"
#include "executor/cuda/gpu.hpp"
#include "executor/cuda/kernels/kernels.hpp"
#include "executor/cuda/kernels/quantize.hpp"
#include "model/nearest_rank.hpp"
#include "roofline/work.hpp"

// Single kernels, each launch between two events and with none of its operands in the L2 cache. Beside the
// mean (the column Time) stand the median and what it comes to: compulsory bytes and FLOPs as the operators
// count them. What two events around a kernel that does nothing see is in all of them: benchmark `nothing`.
namespace inferometer::cuda {

/// Memory of the device; its absence ends the benchmarks.
inline DeviceBuffer memory(std::int64_t bytes) {
  auto made = DeviceBuffer::of(Bytes{bytes});
  require(made.has_value(), "memory for a benchmark");
  return std::move(*made);
}
inline DeviceBuffer zeros(std::int64_t bytes) {
  DeviceBuffer made = memory(bytes);
  require(cudaMemset(made.data(), 0, static_cast<std::size_t>(bytes)) == cudaSuccess, "cudaMemset");
  return made;
}
/// bf16 [rows, columns], dense: seeded, between -1 and 1. Power, and with it clocks, depend on the values.
inline DeviceBuffer values(std::int64_t rows, std::int64_t columns, std::uint64_t key) {
  DeviceBuffer made = memory(rows * columns * 2);
  fill_seeded({.out = made.data(), .count = rows, .columns = columns, .key = key}, {});
  return made;
}
template <class T>
T* as(const DeviceBuffer& buffer) {
  return reinterpret_cast<T*>(buffer.data());
}

/// The device and what all benchmarks use of it.
class Bench {
 public:
  /// null, and the benchmark is skipped: no device, or not the one that the kernel is for.
  static Bench* on(benchmark::State& state, bool needs_hopper) {
    static std::optional<Bench> bench = open();
    const bool fits = bench && (!needs_hopper || bench->queue.hopper);
    if (!fits) state.SkipWithError(bench ? "needs compute capability 9.0" : "no CUDA device");
    return fits ? &*bench : nullptr;
  }

  Queue queue;
  CublasLt products;

  /// work: of one launch.   requires launch() to enqueue on `queue`
  template <class Launch>
  void time(benchmark::State& state, const Work& work, Launch launch) {
    launch();  // libraries choose and load at a first run
    std::vector<double> times;
    for (auto _ : state) {
      flush();
      cudaEventRecord(start_, queue.stream);
      launch();
      cudaEventRecord(end_, queue.stream);
      require(cudaEventSynchronize(end_) == cudaSuccess, "a kernel that is benchmarked");
      float ms = 0;
      cudaEventElapsedTime(&ms, start_, end_);
      times.push_back(static_cast<double>(ms) * 1e-3);
      state.SetIterationTime(times.back());
    }
    const double median = nearest_rank(std::move(times), 0.5);
    state.counters["median_us"] = median * 1e6;
    state.counters["TB/s"] = static_cast<double>(work.compulsory().value) / median * 1e-12;
    state.counters["TFLOP/s"] = static_cast<double>(work.flops.value) / median * 1e-12;
  }

 private:
  static std::optional<Bench> open() {
    const Result<Gpu> gpu = find_gpu(0);
    if (!gpu) return std::nullopt;
    Bench bench;
    bench.queue = {.stream = nullptr, .processors = gpu->processors, .hopper = gpu->hopper()};
    auto products = CublasLt::open();
    require(products.has_value(), "cuBLASLt");
    bench.products = std::move(*products);
    int l2 = 0;
    cudaDeviceGetAttribute(&l2, cudaDevAttrL2CacheSize, gpu->index);
    bench.half_ = 2 * static_cast<std::int64_t>(l2) / row_bytes * row_bytes;
    bench.other_ = zeros(2 * bench.half_);
    bench.scale_ = memory(4);
    cudaEventCreate(&bench.start_);
    cudaEventCreate(&bench.end_);
    return bench;
  }
  /// Writes twice the size of the L2, which takes the place of what is in it, and reads as much of other
  /// memory: lines that were written would have to be written back while the kernel is timed. All of it takes
  /// longer than the host needs to enqueue the kernel behind it.
  void flush() {
    cudaMemsetAsync(other_.data(), 0, static_cast<std::size_t>(half_), queue.stream);
    find_input_scale({reinterpret_cast<const Bf16*>(other_.data() + half_), row_bytes / 2}, half_ / row_bytes,
                     row_bytes / 2, as<float>(scale_), queue);
  }

  static constexpr std::int64_t row_bytes = 8192;
  std::int64_t half_ = 0;
  DeviceBuffer other_, scale_;
  cudaEvent_t start_ = nullptr, end_ = nullptr;
};

/// How each benchmark is run.
inline benchmark::internal::Benchmark* timed(benchmark::internal::Benchmark* b) {
  return b->UseManualTime()->Unit(benchmark::kMicrosecond)->Iterations(50);
}

}  // namespace inferometer::cuda
