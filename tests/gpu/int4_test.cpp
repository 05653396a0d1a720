#include "executor/cuda/kernels/int4.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include "executor/cuda/cublaslt.hpp"
#include "executor/cuda/launch_product.hpp"
#include "executor/cuda/tensor_map.hpp"
#include "model/operators/linear.hpp"
#include "tests/executor/int4_matrix.hpp"
#include "tests/gpu/device.hpp"

namespace inferometer::cuda {
namespace {

/// Weights packed on the device, and what the host makes of the same values. What packing must write is
/// poisoned before.
struct Packed {
  Packed(std::int64_t out_rows, std::int64_t inputs, std::uint64_t seed, bool with_host = true)
      : out(out_rows),
        in(inputs),
        w(Matrix::random(out, in, seed, 1.0F, 0)),
        units(poisoned(int4_units(out, in))) {
    pack_int4(units.data(), w.data(), out, in, {});
    if (!with_host) return;
    const std::vector<double> values = w.values();
    host = to_int4({values.begin(), values.end()}, out, in);
  }
  static std::vector<Int4Unit> poisoned(std::int64_t count) {
    std::vector<Int4Unit> all(static_cast<std::size_t>(count));
    for (Int4Unit& unit : all) {
      for (Int4Rows& u : unit.rows) {
        std::fill(std::begin(u.q), std::end(u.q), 0x5a5a5a5aU);
        std::fill(std::begin(u.scales), std::end(u.scales), static_cast<std::uint16_t>(0x7e00));  // NaN
        std::fill(std::begin(u.zeros), std::end(u.zeros), static_cast<std::uint8_t>(0x5a));
      }
    }
    return all;
  }
  std::vector<double> expected(const Matrix& x, std::int64_t tokens) const {
    const Linear op{.tokens = tokens, .in = in, .out = out, .w = {DType::int4}};
    return reference(op, {x.values(), host.q, host.scales, host.zeros})[0];
  }
  std::int64_t out, in;
  Matrix w;
  Array<Int4Unit> units;
  Int4Matrix host;
};

struct GpuInt4 : OnGpu {
  void SetUp() override {
    OnGpu::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    const auto processors = static_cast<std::size_t>(gpu.processors);
    partial.emplace(std::vector<float>(static_cast<std::size_t>(int4_partials(gpu.processors)), NAN));
    flags.emplace(std::vector<std::uint32_t>(processors, 0));
  }
  static bool streamed(std::int64_t tokens, std::int64_t in) {
    return tokens <= most_int4_streamed_tokens && in % int4_streamed_columns == 0;
  }
  Int4Split split() const { return {partial->data(), flags->data()}; }
  void multiply(const Packed& w, const Matrix& x, std::int64_t tokens, void* y, std::int64_t stride,
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
  std::vector<double> one_token(const Packed& w, const Matrix& x, const Prologue& prologue) {
    const Array<float> y(std::vector<float>(static_cast<std::size_t>(w.out), NAN));
    product_int4_one_token({.x = x.data(),
                            .x_stride = x.in().stride,
                            .y = y.data(),
                            .y_stride = w.out,
                            .y_f32 = true,
                            .tokens = 1,
                            .in = static_cast<std::int32_t>(w.in),
                            .out = static_cast<std::int32_t>(w.out)},
                           w.units.data(), prologue, {}, queue);
    const auto values = y.values();
    return {values.begin(), values.end()};
  }
  std::optional<Array<float>> partial;
  std::optional<Array<std::uint32_t>> flags;
};

constexpr std::int64_t extents[][2] = {{64, 64},         {72, 200},        {256, 1},    {2048, 129},
                                       {4096, 6144 / 8}, {4104, 333},      {14336, 96}, {1024, 20000},
                                       {8, 7},           {96, 48},         {192, 4100}, {64, 40000},
                                       {28672, 70},      {2048, 32 * 199}, {50944, 33}};

/// About seven megabytes of weights from the start of both halves of all rows, none of them twice; or all
/// there are.
TEST(Int4Ahead, IsTheFirstOfEachHalfOfTheNextWeights) {
  constexpr std::int64_t about = 7'000'000;
  for (const auto& [in, out] : extents) {
    const NextInt4 next = next_int4(nullptr, out, in);
    const std::int64_t groups = int4_groups(in), half = (groups + 1) / 2, units = int4_units(out, in);
    std::vector<std::int64_t> fetched, expected;
    for (std::int32_t i = 0; i < 2 * next.stripes * next.first; ++i) {
      const std::int64_t unit = next_unit(next, i);
      if (unit >= 0) fetched.push_back(unit);
    }
    for (std::int64_t unit = 0; unit < units; ++unit) {
      if (unit % groups % half < next.first) expected.push_back(unit);
    }
    std::sort(fetched.begin(), fetched.end());
    EXPECT_EQ(fetched, expected) << in << " x " << out;
    const std::int64_t column = 2 * units / groups * std::int64_t{sizeof(Int4Unit)};
    EXPECT_LE(next.first * column, about + column / 2) << in << " x " << out;
    EXPECT_TRUE(next.first == half || next.first * column >= about - column / 2) << in << " x " << out;
  }
}
constexpr double f32_tolerance = 1e-4;

TEST(Int4Rows, HasAPlaceForEachValueAndFactor) {
  std::set<std::pair<int, int>> values;
  for (int word = 0; word < 32 * int4_group / 8; ++word) {
    for (int pair = 0; pair < 4; ++pair) {
      const Int4Place p = int4_pair(word, pair);
      values.insert({p.row, p.column});
      values.insert({p.row, p.column + 1});
    }
  }
  EXPECT_EQ(values.size(), static_cast<std::size_t>(32 * int4_group));
  EXPECT_EQ(values.rbegin()->first, 31);
  std::set<int> factors;
  for (int row = 0; row < 32; ++row) {
    factors.insert(int4_place(row));
    if (row % 16 < 8) {
      EXPECT_EQ(int4_place(row + 8), int4_place(row) + 1);
    }
    if (row < 16) {
      EXPECT_EQ(int4_place(row + 16), int4_place(row) + 2);
    }
  }
  EXPECT_EQ(factors.size(), 32U);
  EXPECT_EQ(*factors.rbegin(), 31);
}

TEST_F(GpuInt4, PackingRoundsAsTheHostDoes) {
  for (const auto& [in, out] : {std::pair{64, 64}, {72, 200}, {256, 1}, {130, 131}, {31, 17}, {1024, 512}}) {
    const Packed w(out, in, 2);
    const Matrix unpacked(out, in, 0);
    unpack_int4(unpacked.out().data, w.units.data(), out, in, queue);
    std::vector<double> right;
    for (const float x : w.host.values) right.push_back(bf16_to_float(float_to_bf16(x)));
    EXPECT_EQ(distance(unpacked.values(), right), 0) << in << " x " << out;
    const std::vector<double> values = w.w.values();
    // Half a step of 2 / 15 at most, and what the rounded zero point cuts off.
    for (std::size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(right[i], values[i], 0.14) << i;
  }
}

TEST_F(GpuInt4, OneTokenEqualsTheReference) {
  if (!gpu.hopper()) GTEST_SKIP() << "needs compute capability 9.0";
  for (const auto& [in, out] : extents) {
    ASSERT_TRUE(int4_one_token_fits(in));
    const Packed w(out, in, 2);
    const Matrix x = Matrix::random(1, in, 1);
    const auto right = w.expected(x, 1);
    const auto first = one_token(w, x, {});
    EXPECT_LE(distance(first, right), f32_tolerance) << in << " x " << out;
    for (int again = 0; again < 3; ++again) EXPECT_EQ(one_token(w, x, {}), first) << in << " x " << out;
  }
  EXPECT_FALSE(int4_one_token_fits(50952));
}

TEST_F(GpuInt4, OneTokenWithAPrologueEqualsTheOperatorsOneByOne) {
  if (!gpu.hopper()) GTEST_SKIP() << "needs compute capability 9.0";
  for (const auto& [in, out] : {std::pair{64, 72}, {4096, 200}, {14336, 50}, {28672, 50}}) {
    const Packed w(out, in, 3);
    const Matrix x = Matrix::random(1, in, 1), second = Matrix::random(1, in, 2, 3.0F);
    const Matrix weight = Matrix::random(1, in, 4);
    const auto check = [&](const Prologue& p, const Matrix& row, const char* what) {
      // Sums in another order may round a few elements of the row the other way.
      EXPECT_LE(distance(one_token(w, x, p), w.expected(row, 1)), 2e-3) << what << ' ' << in << " x " << out;
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

TEST_F(GpuInt4, OneTokenWithAGatedEpilogueEqualsTheOperatorsOneByOne) {
  if (!gpu.hopper()) GTEST_SKIP() << "needs compute capability 9.0";
  for (const auto& [in, out] :
       {std::pair{64, 32}, {200, 96}, {4096, 32 * 300}, {1024, 32 * 132}, {64, 128}, {200, 256}}) {
    const Packed w(2 * out, in, 3, false);
    const Array<Int4Unit> ups(Packed::poisoned(int4_units(out, in)));
    pack_int4(ups.data(), w.w.data() + std::int64_t{out} * in, out, in, queue);
    const Matrix x = Matrix::random(1, in, 1), gate{1, out}, up{1, out}, right{1, out}, y{1, out};
    const auto multiply_to = [&, in = in, out = out](const Matrix& to, const Int4Unit* units,
                                                     const Epilogue& epilogue) {
      product_int4_one_token({.x = x.data(),
                              .x_stride = x.in().stride,
                              .y = to.out().data,
                              .y_stride = to.out().stride,
                              .tokens = 1,
                              .in = static_cast<std::int32_t>(in),
                              .out = static_cast<std::int32_t>(out)},
                             units, {}, epilogue, queue);
    };
    // Blocks share the same runs of gates and of ups as they do where both are one product.
    multiply_to(gate, w.units.data(), {});
    multiply_to(up, ups.data(), {});
    gated({.gate = gate.in(), .up = up.in(), .y = right.out(), .tokens = 1, .width = out}, queue);
    multiply_to(y, w.units.data(), {.gated = true});
    EXPECT_EQ(distance(y.values(), right.values()), 0) << in << " x " << out;
    EXPECT_TRUE(y.gaps_untouched());
  }
}

TEST_F(GpuInt4, FewTokensWithAGatedEpilogueEqualTheOperatorsOneByOne) {
  if (!gpu.hopper()) GTEST_SKIP() << "needs compute capability 9.0";
  for (const auto& [in, out] :
       {std::pair{64, 32}, {192, 96}, {4096, 32 * 70}, {1024, 32 * 131}, {512, 32 * 448}, {192, 32 * 500}}) {
    const Packed w(2 * out, in, 3, false);
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
TEST_F(GpuInt4, ANormIsSharedByTheProductsAroundIt) {
  if (!gpu.hopper()) GTEST_SKIP() << "needs compute capability 9.0";
  for (const auto& [in, width, out] : {std::tuple{64, 64, 64},
                                       {256, 192, 96},
                                       {512, 4096, 6144},
                                       {1024, 2112, 20032},
                                       {4096, 8256, 320},
                                       // Tiles of many rows, whose zero points are subtracted from sums: one
                                       // turn, and two with more groups than are summed late.
                                       {512, 4096, 28672},
                                       {256, 2048, 59136}}) {
    const Packed first(width, in, 2, false), second(out, width, 3, false);
    const Matrix weight = Matrix::random(1, width, 5, 1.0F, 0);
    for (const std::int64_t tokens : {2, 3, 8, 13, 16, 31, 32}) {
      const Matrix x = Matrix::random(tokens, in, 1), residual = Matrix::random(tokens, width, 4);
      const Matrix product{tokens, width}, sum_apart{tokens, width}, normed{tokens, width};
      const Matrix sum{tokens, width}, unscaled{tokens, width};
      const float eps = 1e-5F;
      const auto run = [&](const Packed& w, const Matrix& from, const Matrix& to, std::int64_t outputs,
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

TEST_F(GpuInt4, FewTokensEqualTheReference) {
  if (!gpu.hopper()) GTEST_SKIP() << "needs compute capability 9.0";
  for (const auto& [in, out] : extents) {
    const Packed w(out, in, 2);
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
                  streamed(tokens, in) ? f32_tolerance : bf16_tolerance)
            << tokens << ": " << in << " x " << out;
      }
    }
  }
}

/// Long enough that each block goes round its stages many times; unpacked weights are held to the host's
/// above, cuBLASLt to the reference elsewhere.
TEST_F(GpuInt4, ProductsOfWholeLayersEqualThoseOfUnpackedWeights) {
  if (!gpu.hopper()) GTEST_SKIP() << "needs compute capability 9.0";
  auto lt = CublasLt::open();
  ASSERT_TRUE(lt);
  for (const auto& [in, out] : {std::pair{4096, 28672}, {14336, 4096}, {4096, 6144}, {4096, 4096}}) {
    const Packed w(out, in, 2, false);
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
      if (tokens == 1) {
        EXPECT_LE(distance(one_token(w, x, {}), right.values()), bf16_tolerance) << in << " x " << out;
      }
    }
  }
}

}  // namespace
}  // namespace inferometer::cuda
