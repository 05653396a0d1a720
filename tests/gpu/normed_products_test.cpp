#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "executor/cuda/launch_product.hpp"
#include "tests/gpu/device.hpp"

namespace inferometer::cuda {
namespace {

struct GpuNormedProducts : OnGpu {
  struct Extent {
    std::int64_t tokens, in, out;
  };
  void multiply(const Matrix& x, const Matrix& w, const Extent& e, const Out& y, const Norms& norms,
                bool gated = false) const {
    stream({.x = x.data(),
            .w = w.data(),
            .y = y.data,
            .tokens = e.tokens,
            .in = e.in,
            .out = e.out,
            .x_stride = x.in().stride,
            .y_stride = y.stride},
           norms, gated);
  }
  /// Sums in f32, dense.
  std::vector<double> sums(const Matrix& x, const Matrix& w, const Extent& e, const NormIn& norm) const {
    const Array<float> y(std::vector<float>(static_cast<std::size_t>(e.tokens * e.out), NAN));
    stream({.x = x.data(),
            .w = w.data(),
            .y = y.data(),
            .tokens = e.tokens,
            .in = e.in,
            .out = e.out,
            .x_stride = x.in().stride,
            .y_stride = e.out,
            .y_f32 = true},
           {.out = {}, .in = norm}, false);
    const std::vector<float> values = y.values();
    return {values.begin(), values.end()};
  }
  void stream(const Product& p, const Norms& norms, bool gated) const {
    EXPECT_TRUE(stream_product(p, {.gated = gated}, norms, queue));
  }
};

double rounded(double x) { return bf16_to_float(float_to_bf16(static_cast<float>(x))); }

/// Each row by 1 / sqrt(mean of the squares of that row of `of` + eps).
std::vector<double> scaled(std::vector<double> rows, const std::vector<double>& of, std::size_t tokens,
                           double eps) {
  const std::size_t columns = rows.size() / tokens, width = of.size() / tokens;
  for (std::size_t t = 0; t < tokens; ++t) {
    double squares = 0;
    for (std::size_t i = 0; i < width; ++i) squares += of[t * width + i] * of[t * width + i];
    for (std::size_t i = 0; i < columns; ++i)
      rows[t * columns + i] /= std::sqrt(squares / static_cast<double>(width) + eps);
  }
  return rows;
}

/// Of rows of gates and then ups.
std::vector<double> activated(const std::vector<double>& rows, std::size_t tokens) {
  const std::size_t half = rows.size() / tokens / 2;
  std::vector<double> y;
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t i = 0; i < half; ++i) {
      const double gate = rounded(rows[t * 2 * half + i]), up = rounded(rows[t * 2 * half + half + i]);
      y.push_back(gate / (1 + std::exp(-gate)) * up);
    }
  }
  return y;
}

/// Widths whose last tile lacks columns, whose parts are no whole fours, of one tile, and of several turns.
TEST_F(GpuNormedProducts, EqualTheOperatorsOneByOne) {
  if (!gpu.hopper()) GTEST_SKIP() << "needs compute capability 9.0";
  for (const auto& [in, width, out] : {std::tuple{64, 64, 64},
                                       {72, 200, 96},
                                       {512, 4096, 6144},
                                       {1024, 2120, 20032},
                                       {4096, 8264, 320},
                                       {264, 16384, 640},
                                       {14336, 4096, 512},
                                       {128, 6144, 64},
                                       {64, 20032, 64},
                                       {64, 28672, 64},
                                       {8, 8, 14}}) {
    const Matrix first = Matrix::random(width, in, 2, 1.0F, 0),
                 second = Matrix::random(out, width, 3, 1.0F, 0);
    const Matrix weight = Matrix::random(1, width, 5, 1.0F, 0);
    for (const std::int64_t tokens : {1, 2, 3, 8, 13, 31, 32, 33, 57, 64}) {
      const auto rows = static_cast<std::size_t>(tokens);
      const Matrix x = Matrix::random(tokens, in, 1), residual = Matrix::random(tokens, width, 4);
      const Matrix product{tokens, width}, sum_apart{tokens, width};
      const Matrix sum{tokens, width}, unscaled{tokens, width};
      const float eps = 1e-5F;
      const std::string what = fmt::format("{}: {} x {} x {}", tokens, in, width, out);
      multiply(x, first, {tokens, in, width}, product.out(), {});
      add({.x = product.in(), .r = residual.in(), .y = sum_apart.out(), .tokens = tokens, .width = width},
          queue);
      const std::int32_t parts = streamed_norm_parts(width, gpu.processors);
      const std::int64_t placed = tokens * row_of_parts(parts);
      const Array<float> squares(std::vector<float>(static_cast<std::size_t>(placed + 64), NAN));
      multiply(x, first, {tokens, in, width}, unscaled.out(),
               {.out = {.residual = residual.data(),
                        .weight = weight.data(),
                        .residual_stride = residual.in().stride,
                        .sum = sum.out().data,
                        .sum_stride = sum.out().stride,
                        .squares = squares.data()},
                .in = {}});
      const std::vector<double> sum_values = sum.values(), weights_of = weight.values();
      EXPECT_EQ(sum_values, sum_apart.values()) << what;
      std::vector<double> weighed = sum_values;
      for (std::size_t i = 0; i < weighed.size(); ++i)
        weighed[i] = rounded(weighed[i] * weights_of[i % weights_of.size()]);
      EXPECT_EQ(unscaled.values(), weighed) << what;
      EXPECT_TRUE(sum.gaps_untouched() && unscaled.gaps_untouched()) << what;
      const std::vector<float> parts_there = squares.values();
      EXPECT_TRUE(std::all_of(parts_there.begin() + placed, parts_there.end(), [](float v) {
        return std::isnan(v);
      })) << what;
      const NormIn norm{squares.data(), parts, eps};
      const Extent extent{tokens, width, out};
      const std::vector<double> y = sums(unscaled, second, extent, norm);
      EXPECT_LE(distance(y, scaled(sums(unscaled, second, extent, {}), sum_values, rows, eps)), 1e-5) << what;
      const Matrix activations{tokens, out / 2};
      multiply(unscaled, second, {tokens, width, out / 2}, activations.out(), {.out = {}, .in = norm}, true);
      EXPECT_LE(distance(activations.values(), activated(y, rows)), bf16_tolerance) << what;
      EXPECT_TRUE(activations.gaps_untouched()) << what;
    }
  }
}

}  // namespace
}  // namespace inferometer::cuda
