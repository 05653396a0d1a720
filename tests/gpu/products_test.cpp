#include "executor/cuda/kernels/products.hpp"
#include "executor/cuda/cublaslt.hpp"
#include "tests/gpu/fp8.hpp"
#include "tests/gpu/product_of.hpp"

namespace inferometer::cuda {
namespace {

struct GpuProducts : OnGpu {
  /// y of a product in f32, dense; NaN where nothing was written.
  template <class F>
  static std::vector<double> f32(std::int64_t tokens, std::int64_t out, F multiply) {
    const Array<float> y(
        std::vector<float>(static_cast<std::size_t>(tokens * out), std::numeric_limits<float>::quiet_NaN()));
    multiply(y.data());
    const auto values = y.values();
    return {values.begin(), values.end()};
  }
  static std::vector<double> expected(const Matrix& x, const Matrix& w, std::int64_t tokens, std::int64_t in,
                                      std::int64_t out) {
    std::vector<double> y;
    const std::vector<double> a = x.values(), b = w.values();
    for (std::int64_t t = 0; t < tokens; ++t) {
      for (std::int64_t o = 0; o < out; ++o) {
        double sum = 0;
        for (std::int64_t i = 0; i < in; ++i)
          sum += a[static_cast<std::size_t>(t * in + i)] * b[static_cast<std::size_t>(o * in + i)];
        y.push_back(sum);
      }
    }
    return y;
  }
  void gated_one_by_one(In gate, In up, std::int64_t width, Out y, const QuantizedOut& q,
                        std::int64_t tokens = 1) const {
    gated({.gate = gate, .up = up, .y = y, .tokens = tokens, .width = width, .q = q}, queue);
  }
  Bf16Product few(const Matrix& x, const Matrix& w, void* y, std::int64_t stride, bool f32,
                  std::int64_t tokens, std::int64_t in, std::int64_t out) {
    return {.x = x.data(),
            .x_stride = x.in().stride,
            .w = w.data(),
            .y = y,
            .y_stride = stride,
            .y_f32 = f32,
            .tokens = static_cast<std::int32_t>(tokens),
            .in = static_cast<std::int32_t>(in),
            .out = static_cast<std::int32_t>(out)};
  }
  void stream(const Bf16Product& a, const Epilogue& epilogue) const {
    EXPECT_TRUE(stream_product(product_of(a), epilogue, {}, queue));
  }
};

constexpr std::int64_t extents[][2] = {{64, 64},         {72, 200},   {256, 1},    {2048, 129},
                                       {4096, 6144 / 8}, {4104, 333}, {14336, 96}, {1024, 40000},
                                       {8, 7},           {64, 8192},  {72, 22016}, {64, 151936}};
/// Inputs, and pairs of a gate and an up.
constexpr std::int64_t gated_extents[][2] = {{64, 64},   {72, 200},   {256, 1},     {2048, 1057},
                                             {4104, 33}, {8, 7},      {14336, 50},  {1024, 20000},
                                             {64, 4096}, {72, 11008}, {264, 14336}, {64, 8192}};

/// 128256 of a head and 28672, 6144 and 4096 of a layer on an H200: turns of so many rows that few places of
/// the last turn stay empty, and no tile smaller than one turn asks for.
TEST(StreamedRows, AreThoseThatAreDoneFirst) {
  EXPECT_EQ(streamed_rows(4096, 132), 32);
  EXPECT_EQ(streamed_rows(6144, 132), 48);
  EXPECT_EQ(streamed_rows(8192, 132), 64);
  EXPECT_EQ(streamed_rows(22016, 132), 96) << "two turns";
  EXPECT_EQ(streamed_rows(28672, 132), 112) << "two turns";
  EXPECT_EQ(streamed_rows(128256, 132), 112) << "nine turns";
  EXPECT_EQ(streamed_rows(1, 132), 16);
}

TEST_F(GpuProducts, OneTokenEqualsTheReference) {
  if (!gpu.hopper()) GTEST_SKIP() << "needs compute capability 9.0";
  for (const auto& [in, out] : extents) {
    ASSERT_TRUE(one_token_fits(in));
    const Matrix x = Matrix::random(1, in, 1), w = Matrix::random(out, in, 2, 1.0F, 0), y{1, out};
    const auto right = expected(x, w, 1, in, out);
    product_one_token(few(x, w, y.out().data, y.out().stride, false, 1, in, out), {}, {}, queue);
    EXPECT_LE(distance(y.values(), right), bf16_tolerance) << in << " x " << out;
    EXPECT_TRUE(y.gaps_untouched());
    const auto exact = f32(
        1, out, [&](float* to) { product_one_token(few(x, w, to, out, true, 1, in, out), {}, {}, queue); });
    EXPECT_LE(distance(exact, right), 1e-5) << in << " x " << out;
  }
}

TEST_F(GpuProducts, OneTokenWithAProloguesEqualsTheOperatorsOneByOne) {
  if (!gpu.hopper()) GTEST_SKIP() << "needs compute capability 9.0";
  for (const auto& [in, out] : {std::pair{64, 72}, std::pair{4096, 200}, std::pair{14336, 50}}) {
    const Matrix x = Matrix::random(1, in, 1), second = Matrix::random(1, in, 2, 3.0F);
    const Matrix w = Matrix::random(out, in, 3, 1.0F, 0), weight = Matrix::random(1, in, 4);
    const auto check = [&](const Prologue& p, const Matrix& row, const char* what) {
      const auto y = f32(
          1, out, [&](float* to) { product_one_token(few(x, w, to, out, true, 1, in, out), p, {}, queue); });
      // Sums in another order may round a few elements of the row the other way.
      EXPECT_LE(distance(y, expected(row, w, 1, in, out)), 2e-3) << what << ' ' << in << " x " << out;
    };
    const Matrix normed{1, in}, sum{1, in}, sum_there{1, in}, gate{1, in};
    rms_norm({.x = x.in(), .w = weight.data(), .y = normed.out(), .tokens = 1, .width = in, .eps = 1e-5F},
             queue);
    check({.kind = Prologue::Kind::norm, .weight = weight.data(), .eps = 1e-5F}, normed, "norm");
    add_rms_norm({.x = x.in(),
                  .residual = second.in(),
                  .w = weight.data(),
                  .sum = sum.out(),
                  .y = normed.out(),
                  .tokens = 1,
                  .width = in,
                  .eps = 1e-5F},
                 queue);
    check({.kind = Prologue::Kind::add_norm,
           .second = second.data(),
           .weight = weight.data(),
           .sum = sum_there.out().data,
           .eps = 1e-5F},
          normed, "add_norm");
    EXPECT_EQ(distance(sum_there.values(), sum.values()), 0);
    EXPECT_TRUE(sum_there.gaps_untouched());
    gated({.gate = x.in(), .up = second.in(), .y = gate.out(), .tokens = 1, .width = in}, queue);
    check({.kind = Prologue::Kind::gated, .second = second.data()}, gate, "gated");
  }
}

TEST_F(GpuProducts, OneTokenWithAGatedEpilogueEqualsTheOperatorsOneByOne) {
  if (!gpu.hopper()) GTEST_SKIP() << "needs compute capability 9.0";
  const Array<float> scale({0.02F});
  for (const auto& [in, out] : gated_extents) {
    const Matrix x = Matrix::random(1, in, 1, 0.5F), second = Matrix::random(1, in, 2, 0.5F);
    const Matrix w = Matrix::random(2 * out, in, 3, 0.2F, 0), weight = Matrix::random(1, in, 4),
                 apart{1, 2 * out};
    const auto check = [&](const Prologue& p, const char* what) {
      SCOPED_TRACE(what);
      product_one_token(few(x, w, apart.out().data, 2 * out, false, 1, in, 2 * out), p, {}, queue);
      const In gate{apart.data(), 2 * out}, up{apart.data() + out, 2 * out};
      // The same sums in the same order, whatever becomes of them: the same to the bit.
      const Matrix right{1, out}, y{1, out};
      const Fp8Matrix right_fp8{1, out}, y_fp8{1, out};
      const Out unused;
      gated_one_by_one(gate, up, out, right.out(), {});
      gated_one_by_one(gate, up, out, unused, {right_fp8.data(), right_fp8.stride(), scale.data()});
      product_one_token(few(x, w, y.out().data, out, false, 1, in, out), p, {.gated = true}, queue);
      EXPECT_EQ(distance(y.values(), right.values()), 0) << in << " x " << out;
      EXPECT_TRUE(y.gaps_untouched());
      product_one_token(few(x, w, y_fp8.data(), out, false, 1, in, out), p,
                        {.gated = true, .y_scale = scale.data()}, queue);
      EXPECT_EQ(distance(y_fp8.values(), right_fp8.values()), 0) << in << " x " << out;
      EXPECT_TRUE(y_fp8.gaps_untouched());
    };
    check({}, "none");
    check({.kind = Prologue::Kind::norm, .weight = weight.data(), .eps = 1e-5F}, "norm");
    const Matrix sum{1, in};
    check({.kind = Prologue::Kind::add_norm,
           .second = second.data(),
           .weight = weight.data(),
           .sum = sum.out().data,
           .eps = 1e-5F},
          "add_norm");
  }
}

TEST_F(GpuProducts, StreamedEqualsTheReference) {
  if (!gpu.hopper()) GTEST_SKIP() << "needs compute capability 9.0";
  for (const auto& [in, out] : extents) {
    for (const std::int64_t tokens : {1, 3, 8, 13, 16, 31, 33, 40, 57, 64}) {
      if (tokens * in * out > 200'000'000) continue;  // the reference takes its time
      const Matrix x = Matrix::random(tokens, in, 1), w = Matrix::random(out, in, 2, 1.0F, 0), y{tokens, out};
      const auto right = expected(x, w, tokens, in, out);
      stream(few(x, w, y.out().data, y.out().stride, false, tokens, in, out), {});
      EXPECT_LE(distance(y.values(), right), bf16_tolerance) << tokens << ": " << in << " x " << out;
      EXPECT_TRUE(y.gaps_untouched());
      for (int again = 0; again < 2; ++again) {
        const auto exact =
            f32(tokens, out, [&](float* to) { stream(few(x, w, to, out, true, tokens, in, out), {}); });
        EXPECT_LE(distance(exact, right), 1e-5) << tokens << ": " << in << " x " << out;
      }
    }
  }
}

TEST_F(GpuProducts, StreamedWithAGatedEpilogueEqualsTheOperatorsOneByOne) {
  if (!gpu.hopper()) GTEST_SKIP() << "needs compute capability 9.0";
  const Array<float> scale({0.02F});
  for (const auto& [in, out] : gated_extents) {
    for (const std::int64_t tokens : {2, 9, 33, 64}) {
      const Matrix x = Matrix::random(tokens, in, 1), w = Matrix::random(2 * out, in, 2, 1.0F, 0);
      const Matrix sums{tokens, 2 * out}, right{tokens, out}, y{tokens, out};
      const Fp8Matrix right_fp8{tokens, out}, y_fp8{tokens, out};
      stream(few(x, w, sums.out().data, sums.out().stride, false, tokens, in, 2 * out), {});
      const In gate = sums.in(), up{gate.data + out, gate.stride};
      gated_one_by_one(gate, up, out, right.out(), {}, tokens);
      gated_one_by_one(gate, up, out, {}, {right_fp8.data(), right_fp8.stride(), scale.data()}, tokens);
      stream(few(x, w, y.out().data, y.out().stride, false, tokens, in, out), {.gated = true});
      // The same sums in the same order, whatever becomes of them: the same to the bit.
      EXPECT_EQ(distance(y.values(), right.values()), 0) << tokens << ": " << in << " x " << out;
      EXPECT_TRUE(y.gaps_untouched());
      stream(few(x, w, y_fp8.data(), y_fp8.stride(), false, tokens, in, out),
             {.gated = true, .y_scale = scale.data()});
      EXPECT_EQ(distance(y_fp8.values(), right_fp8.values()), 0) << tokens << ": " << in << " x " << out;
      EXPECT_TRUE(y_fp8.gaps_untouched());
    }
  }
}

/// What lies in rows [tokens, out] that a product stored `stride` apart from `start` on, and nowhere else.
template <class T, class F>
std::vector<T> stored(std::int64_t tokens, std::int64_t out, std::int64_t start, std::int64_t stride,
                      F store) {
  constexpr T untouched{77};
  const Array<T> all(std::vector<T>(static_cast<std::size_t>(start + tokens * stride), untouched));
  store(all.data() + start, stride);
  std::vector<T> rows, gaps;
  std::int64_t place = -start;
  for (const T value : all.values()) {
    (place >= 0 && place % stride < out ? rows : gaps).push_back(value);
    ++place;
  }
  EXPECT_EQ(gaps, std::vector<T>(gaps.size(), untouched)) << start << ", " << stride;
  return rows;
}

/// Pairs of values are one store and one load where all of a row's are.
TEST_F(GpuProducts, StreamedOfRowsThatAreNoWholePairsEqualsThatOfWholePairs) {
  if (!gpu.hopper()) GTEST_SKIP() << "needs compute capability 9.0";
  constexpr std::int64_t in = 72, out = 200;
  const Array<float> scale({0.02F});
  const Matrix w = Matrix::random(2 * out, in, 2, 1.0F, 0);
  for (const std::int64_t tokens : {3, 40}) {
    const Matrix x = Matrix::random(tokens, in, 1), r = Matrix::random(tokens, out, 3);
    const std::vector<double> values = r.values();
    const auto check = [&]<class T>(T, bool is_f32, const Epilogue& epilogue, const char* what) {
      SCOPED_TRACE(what);
      const auto of = [&](std::int64_t start, std::int64_t stride) {
        return stored<T>(tokens, out, start, stride, [&](T* y, std::int64_t apart) {
          stream(few(x, w, y, apart, is_f32, tokens, in, out), epilogue);
        });
      };
      const std::vector<T> whole = of(0, out + 8);
      EXPECT_EQ(of(0, out + 9), whole) << "an odd stride";
      EXPECT_EQ(of(1, out + 8), whole) << "an odd start";
    };
    check(Bf16{}, false, {}, "bf16");
    check(float{}, true, {}, "f32");
    check(Bf16{}, false, {.gated = true}, "gated");
    check(std::uint8_t{}, false, {.gated = true, .y_scale = scale.data()}, "gated, e4m3");
    const auto with_residual = [&](std::int64_t start, std::int64_t stride) {
      std::vector<Bf16> placed(static_cast<std::size_t>(start + tokens * stride), 0x7fc0);
      for (std::int64_t i = 0; i < tokens * out; ++i)
        placed[static_cast<std::size_t>(start + i / out * stride + i % out)] =
            float_to_bf16(static_cast<float>(values[static_cast<std::size_t>(i)]));
      const Array<Bf16> residual(placed);
      return stored<Bf16>(tokens, out, 0, out, [&](Bf16* y, std::int64_t apart) {
        stream(few(x, w, y, apart, false, tokens, in, out),
               {.residual = residual.data() + start, .residual_stride = stride});
      });
    };
    const std::vector<Bf16> whole = with_residual(0, out);
    EXPECT_EQ(with_residual(0, out + 9), whole) << "a residual of an odd stride";
    EXPECT_EQ(with_residual(1, out + 8), whole) << "a residual of an odd start";
  }
}

/// Against the kernel for few tokens, whose sums have another order.
TEST_F(GpuProducts, GatedOfManyTokensEqualsPiecesOfFew) {
  if (!gpu.hopper()) GTEST_SKIP() << "needs compute capability 9.0";
  const Array<float> scale({0.02F});
  for (const auto& [in, out] : {std::pair{64, 64}, std::pair{72, 200}, std::pair{2048, 1057}, std::pair{8, 7},
                                std::pair{4096, 8192}, std::pair{4104, 14336}, std::pair{264, 12000}}) {
    const Matrix w = Matrix::random(2 * out, in, 2, 1.0F, 0);
    for (const std::int64_t tokens : {65, 128, 129, 200, 256, 300, 700, 4500}) {
      if (tokens * in * out > 20'000'000'000) continue;
      const Matrix x = Matrix::random(tokens, in, 1), right{tokens, out}, y{tokens, out};
      const Fp8Matrix right_fp8{tokens, out}, y_fp8{tokens, out};
      for (std::int64_t t = 0; t < tokens; t += most_streamed_tokens) {
        const std::int64_t count = std::min<std::int64_t>(most_streamed_tokens, tokens - t);
        Bf16Product piece =
            few(x, w, right.out().data + t * right.out().stride, right.out().stride, false, count, in, out);
        piece.x += t * x.in().stride;
        stream(piece, {.gated = true});
        piece.y = right_fp8.data() + t * right_fp8.stride();
        piece.y_stride = right_fp8.stride();
        stream(piece, {.gated = true, .y_scale = scale.data()});
      }
      Product p{.x = x.data(),
                .w = w.data(),
                .y = y.out().data,
                .tokens = tokens,
                .in = in,
                .out = out,
                .x_stride = x.in().stride,
                .y_stride = y.out().stride};
      for (int again = 0; again < 3; ++again) ASSERT_TRUE(gated_product(p, {.gated = true}, queue));
      // Few sums are close enough to the middle of two values of bf16, or of e4m3, to be rounded apart.
      EXPECT_LE(distance(y.values(), right.values()), 1e-3) << tokens << ": " << in << " x " << out;
      EXPECT_TRUE(y.gaps_untouched());
      p.y = y_fp8.data();
      p.y_stride = y_fp8.stride();
      ASSERT_TRUE(gated_product(p, {.gated = true, .y_scale = scale.data()}, queue));
      EXPECT_LE(distance(y_fp8.values(), right_fp8.values()), 1e-2) << tokens << ": " << in << " x " << out;
      EXPECT_TRUE(y_fp8.gaps_untouched());
    }
  }
}

/// Long enough that each block goes round its stages many times; cuBLASLt is held to the reference below.
TEST_F(GpuProducts, StreamedEqualsCublasLtOnWholeLayers) {
  if (!gpu.hopper()) GTEST_SKIP() << "needs compute capability 9.0";
  auto lt = CublasLt::open();
  ASSERT_TRUE(lt);
  for (const auto& [in, out] : {std::pair{4096, 28672}, std::pair{14336, 4096}, std::pair{4096, 6144}}) {
    const Matrix w = Matrix::random(out, in, 2, 1.0F, 0);
    for (const std::int64_t tokens : {8, 16, 32, 33, 40, 48, 64}) {
      const Matrix x = Matrix::random(tokens, in, 1), y{tokens, out}, right{tokens, out};
      ASSERT_TRUE(lt->multiply({.x = x.data(),
                                .w = w.data(),
                                .y = right.out().data,
                                .tokens = tokens,
                                .in = in,
                                .out = out,
                                .x_stride = x.in().stride,
                                .y_stride = right.out().stride},
                               nullptr));
      for (int again = 0; again < 5; ++again) {
        stream(few(x, w, y.out().data, y.out().stride, false, tokens, in, out), {});
      }
      EXPECT_LE(distance(y.values(), right.values()), bf16_tolerance) << tokens << ": " << in << " x " << out;
    }
  }
}

TEST_F(GpuProducts, CublasLtEqualsTheReference) {
  auto lt = CublasLt::open();
  ASSERT_TRUE(lt) << to_string(lt.error());
  for (const auto& [in, out] : extents) {
    for (const std::int64_t tokens : {1, 5, 80}) {
      if (tokens * in * out > 200'000'000) continue;
      const Matrix x = Matrix::random(tokens, in, 1), w = Matrix::random(out, in, 2, 1.0F, 0), y{tokens, out};
      const Done done = lt->multiply({.x = x.data(),
                                      .w = w.data(),
                                      .y = y.out().data,
                                      .tokens = tokens,
                                      .in = in,
                                      .out = out,
                                      .x_stride = x.in().stride,
                                      .y_stride = y.out().stride},
                                     nullptr);
      ASSERT_TRUE(done) << to_string(done.error());
      EXPECT_LE(distance(y.values(), expected(x, w, tokens, in, out)), bf16_tolerance);
      EXPECT_TRUE(y.gaps_untouched());
    }
  }
}

TEST_F(GpuProducts, AddAResidual) {
  if (!gpu.hopper()) GTEST_SKIP() << "needs compute capability 9.0";
  auto lt = CublasLt::open();
  ASSERT_TRUE(lt) << to_string(lt.error());
  for (const auto& [in, out] : {std::pair{72, 200}, {256, 1}, {2048, 129}, {4104, 333}, {64, 8192}}) {
    for (const std::int64_t tokens : {1, 3, 33, 64, 80}) {
      const Matrix x = Matrix::random(tokens, in, 1), w = Matrix::random(out, in, 2, 1.0F, 0),
                   r = Matrix::random(tokens, out, 3), y{tokens, out};
      auto right = expected(x, w, tokens, in, out);
      const std::vector<double> residual = r.values();
      for (std::size_t i = 0; i < right.size(); ++i) right[i] += residual[i];
      const auto check = [&](ProductKernel kernel) {
        const Done done = launch_product({.x = x.data(),
                                          .w = w.data(),
                                          .y = y.out().data,
                                          .tokens = tokens,
                                          .in = in,
                                          .out = out,
                                          .x_stride = x.in().stride,
                                          .y_stride = y.out().stride,
                                          .residual = r.data(),
                                          .residual_stride = r.in().stride},
                                         {kernel, std::nullopt}, *lt, queue);
        ASSERT_TRUE(done) << to_string(done.error());
        EXPECT_LE(distance(y.values(), right), bf16_tolerance)
            << name(kernel) << " of " << tokens << ": " << in << " x " << out;
        EXPECT_TRUE(y.gaps_untouched());
      };
      check(ProductKernel::cublaslt);
      if (tokens <= most_streamed_tokens) check(ProductKernel::streamed);
      if (tokens == 1) check(ProductKernel::one_token);
    }
  }
}

}  // namespace
}  // namespace inferometer::cuda
