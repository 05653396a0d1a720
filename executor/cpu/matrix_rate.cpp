#include "executor/cpu/matrix_rate.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

#include "executor/cpu/products.hpp"

namespace inferometer::cpu {

FlopsPerSecond matrix_rate(DType dtype, int threads) {
  constexpr std::int64_t rows = 1504, in = 1700, out = 1900;
  const auto zeros = [](std::int64_t elements, DType d) {
    return std::vector<char>(static_cast<std::size_t>(size_of(elements, d).value));
  };
  set_threads(threads);
  Products products;
  const std::vector<char> w = zeros(out * in, dtype), x = zeros(rows * in, dtype);
  const std::vector<float> scales(static_cast<std::size_t>(std::max(rows, out)), 1.0F);
  std::vector<char> y = zeros(rows * out, DType::f32);
  const Result<PackedWeights> packed =
      products.pack({.values = w.data(), .dtype = dtype, .scales = scales.data(), .out = out, .in = in});
  require(packed.has_value(), "a dtype that is multiplied here");
  using Clock = std::chrono::steady_clock;
  Seconds best{1e9};
  for (int run = 0; run < 7; ++run) {
    const auto start = Clock::now();
    products.multiply(*packed,
                      {.data = x.data(), .dtype = dtype, .rows = rows, .stride = in, .scales = scales.data()},
                      {.data = y.data(), .dtype = DType::f32, .stride = out});
    best = std::min(best, Seconds{Clock::now() - start});
  }
  return FlopsPerSecond{2.0 * rows * in * out / best.count()};
}

}  // namespace inferometer::cpu
