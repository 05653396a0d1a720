#include <optional>

#include "executor/cuda/cublaslt.hpp"
#include "executor/cuda/launch_product.hpp"
#include "executor/cuda/tensor_map.hpp"
#include "tests/gpu/int4.hpp"

namespace inferometer::cuda {
namespace {

struct GpuInt4FewTokens : OnGpu {
  void SetUp() override {
    OnGpu::SetUp();
    if (!IsSkipped() && !gpu.hopper()) GTEST_SKIP() << "needs compute capability 9.0";
    if (IsSkipped() || HasFatalFailure()) return;
    const auto processors = static_cast<std::size_t>(gpu.processors);
    partial.emplace(std::vector<float>(static_cast<std::size_t>(int4_partials(gpu.processors)), NAN));
    flags.emplace(std::vector<std::uint32_t>(processors, 0));
  }
  static bool streamed(std::int64_t tokens, std::int64_t in) {
    return tokens <= most_int4_streamed_tokens && in % int4_streamed_columns == 0;
  }
  Int4Split split() const { return {partial->data(), flags->data()}; }
  void multiply(const PackedInt4& w, const Matrix& x, std::int64_t tokens, void* y, std::int64_t stride,
                bool f32) {
    const Bf16Product a{.x = x.data(),
                        .x_stride = x.in().stride,
                        .y = y,
                        .y_stride = stride,
                        .y_f32 = f32,
                        .tokens = static_cast<std::int32_t>(tokens),
                        .in = static_cast<std::int32_t>(w.in),
                        .out = static_cast<std::int32_t>(w.out)};
    const bool few = streamed(tokens, w.in);
    const auto map = few ? streamed_int4_inputs(x.data(), tokens, w.in, x.in().stride)
                         : tensor_map({x.data(), tokens, w.in, x.in().stride, int4_tiled_tile(tokens)});
    ASSERT_TRUE(map);
    if (few) {
      // What it brings to the L2 cache for the kernel behind it changes nothing: here the same weights.
      product_int4_streamed(a, {.w = w.units.data(), .next = next_int4(w.units.data(), w.out, w.in)}, {}, {},
                            *map, queue);
    } else {
      product_int4_tiled(a, w.units.data(), *map, split(), queue);
    }
  }
  std::optional<Array<float>> partial;
  std::optional<Array<std::uint32_t>> flags;
};

TEST_F(GpuInt4FewTokens, EqualTheReference) {
  for (const auto& [in, out] : int4_extents) {
    const PackedInt4 w(out, in, 2);
    for (const std::int64_t tokens : {1, 3, 8, 13, 16, 31, 33, 64, 65, 200}) {
      if (tokens * in * out > 200'000'000) continue;  // the reference takes its time
      const Matrix x = Matrix::random(tokens, in, 1), y{tokens, out};
      const auto right = w.expected(x, tokens);
      multiply(w, x, tokens, y.out().data, y.out().stride, false);
      // Tiles are multiplied by weights in bf16: two roundings instead of one.
      const double rounded = bf16_tolerance * (streamed(tokens, in) ? 1 : 1.5);
      EXPECT_LE(distance(y.values(), right), rounded) << tokens << ": " << in << " x " << out;
      EXPECT_TRUE(y.gaps_untouched());
      std::vector<float> first;
      for (int again = 0; again < 3; ++again) {
        const Array<float> exact(std::vector<float>(static_cast<std::size_t>(tokens * out), NAN));
        multiply(w, x, tokens, exact.data(), out, true);
        const auto values = exact.values();
        if (again == 0) first = values;
        EXPECT_EQ(values, first) << "added in another order, " << tokens << ": " << in << " x " << out;
        EXPECT_LE(distance({values.begin(), values.end()}, right),
                  streamed(tokens, in) ? int4_f32_tolerance : bf16_tolerance)
            << tokens << ": " << in << " x " << out;
      }
    }
  }
}

TEST_F(GpuInt4FewTokens, WithAGatedEpilogueEqualTheOperatorsOneByOne) {
  for (const auto& [in, out] :
       {std::pair{64, 32}, {192, 96}, {4096, 32 * 70}, {1024, 32 * 131}, {512, 32 * 448}, {192, 32 * 500}}) {
    const PackedInt4 w(2 * out, in, 3, false);
    for (const std::int64_t tokens : {2, 8, 11, 16, 32}) {
      const Matrix x = Matrix::random(tokens, in, 1), both{tokens, 2 * out, 0}, right{tokens, out},
                   y{tokens, out};
      multiply(w, x, tokens, both.out().data, both.out().stride, false);
      gated({.gate = {both.data(), both.out().stride},
             .up = {both.data() + out, both.out().stride},
             .y = right.out(),
             .tokens = tokens,
             .width = out},
            queue);
      const auto map = streamed_int4_inputs(x.data(), tokens, in, x.in().stride);
      ASSERT_TRUE(map);
      product_int4_streamed({.x = x.data(),
                             .x_stride = x.in().stride,
                             .y = y.out().data,
                             .y_stride = y.out().stride,
                             .tokens = static_cast<std::int32_t>(tokens),
                             .in = static_cast<std::int32_t>(in),
                             .out = static_cast<std::int32_t>(out)},
                            {.w = w.units.data()}, {.gated = true}, {}, *map, queue);
      // Other tiles add in another order, which rounds a few sums the other way.
      EXPECT_LE(distance(y.values(), right.values()), 2e-3) << tokens << ": " << in << " x " << out;
      EXPECT_TRUE(y.gaps_untouched());
    }
  }
}

/// Two products with a residual norm between them, held to the three operators one by one: of one turn and of
/// several, rows and columns that fill no tile, the second plain and gated.
TEST_F(GpuInt4FewTokens, ShareANormWithTheProductAroundIt) {
  for (const auto& [in, width, out] : {std::tuple{64, 64, 64},
                                       {256, 192, 96},
                                       {512, 4096, 6144},
                                       {1024, 2112, 20032},
                                       {4096, 8256, 320},
                                       // Tiles of many rows, whose zero points are subtracted from sums: one
                                       // turn, and two with more groups than are summed late.
                                       {512, 4096, 28672},
                                       {256, 2048, 59136}}) {
    const PackedInt4 first(width, in, 2, false), second(out, width, 3, false);
    const Matrix weight = Matrix::random(1, width, 5, 1.0F, 0);
    for (const std::int64_t tokens : {2, 3, 8, 13, 16, 31, 32}) {
      const Matrix x = Matrix::random(tokens, in, 1), residual = Matrix::random(tokens, width, 4);
      const Matrix product{tokens, width}, sum_apart{tokens, width}, normed{tokens, width};
      const Matrix sum{tokens, width}, unscaled{tokens, width};
      const float eps = 1e-5F;
      const auto run = [&](const PackedInt4& w, const Matrix& from, const Matrix& to, std::int64_t outputs,
                           bool gated, const Norms& norms) {
        const auto map = streamed_int4_inputs(from.data(), tokens, w.in, from.in().stride);
        ASSERT_TRUE(map);
        product_int4_streamed({.x = from.data(),
                               .x_stride = from.in().stride,
                               .y = to.out().data,
                               .y_stride = to.out().stride,
                               .tokens = static_cast<std::int32_t>(tokens),
                               .in = static_cast<std::int32_t>(w.in),
                               .out = static_cast<std::int32_t>(outputs)},
                              {.w = w.units.data()}, {.gated = gated}, norms, *map, queue);
      };
      run(first, x, product, width, false, {});
      add_rms_norm({.x = product.in(),
                    .residual = residual.in(),
                    .w = weight.data(),
                    .sum = sum_apart.out(),
                    .y = normed.out(),
                    .tokens = tokens,
                    .width = width,
                    .eps = eps},
                   queue);
      const std::int64_t parts = norm_parts(width);
      const Array<float> squares(std::vector<float>(static_cast<std::size_t>(tokens * parts), NAN));
      run(first, x, unscaled, width, false,
          {.out = {.residual = residual.data(),
                   .weight = weight.data(),
                   .residual_stride = residual.in().stride,
                   .sum = sum.out().data,
                   .sum_stride = sum.out().stride,
                   .squares = squares.data()},
           .in = {}});
      EXPECT_EQ(sum.values(), sum_apart.values()) << tokens << ": " << width;
      EXPECT_TRUE(sum.gaps_untouched() && unscaled.gaps_untouched());
      for (const bool gated : {false, true}) {
        const std::int64_t outputs = gated ? out / 2 : out;
        const Matrix right{tokens, outputs}, y{tokens, outputs};
        run(second, normed, right, outputs, gated, {});
        run(second, unscaled, y, outputs, gated, {.out = {}, .in = {.squares = squares.data(), .eps = eps}});
        // Rows are rounded before they are scaled, or behind; gates and ups both are of such rows.
        EXPECT_LE(distance(y.values(), right.values()), (gated ? 2 : 1) * bf16_tolerance)
            << tokens << ": " << in << " x " << width << " x " << out << (gated ? ", gated" : "");
        EXPECT_TRUE(y.gaps_untouched());
      }
    }
  }
}

/// Long enough that each block goes round its stages many times; unpacked weights are held to the host's
/// in int4_test.cpp, cuBLASLt to the reference elsewhere.
TEST_F(GpuInt4FewTokens, ProductsOfWholeLayersEqualThoseOfUnpackedWeights) {
  auto lt = CublasLt::open();
  ASSERT_TRUE(lt);
  for (const auto& [in, out] : {std::pair{4096, 28672}, {14336, 4096}, {4096, 6144}, {4096, 4096}}) {
    const PackedInt4 w(out, in, 2, false);
    const Matrix unpacked(out, in, 0);
    unpack_int4(unpacked.out().data, w.units.data(), out, in, queue);
    for (const std::int64_t tokens : {1, 8, 16, 32, 64, 128, 300}) {
      const Matrix x = Matrix::random(tokens, in, 1), y{tokens, out}, right{tokens, out};
      ASSERT_TRUE(lt->multiply({.x = x.data(),
                                .w = unpacked.data(),
                                .y = right.out().data,
                                .tokens = tokens,
                                .in = in,
                                .out = out,
                                .x_stride = x.in().stride,
                                .y_stride = right.out().stride},
                               nullptr));
      for (int again = 0; again < 5; ++again) multiply(w, x, tokens, y.out().data, y.out().stride, false);
      EXPECT_LE(distance(y.values(), right.values()), bf16_tolerance) << tokens << ": " << in << " x " << out;
    }
  }
}

}  // namespace
}  // namespace inferometer::cuda
