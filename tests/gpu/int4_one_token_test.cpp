#include "executor/cuda/cublaslt.hpp"
#include "executor/cuda/kernels/products.hpp"
#include "tests/gpu/int4.hpp"

namespace inferometer::cuda {
namespace {

struct GpuInt4OneToken : OnGpu {
  void SetUp() override {
    OnGpu::SetUp();
    if (!IsSkipped() && !gpu.hopper()) GTEST_SKIP() << "needs compute capability 9.0";
  }
  std::vector<double> one_token(const PackedInt4& w, const Matrix& x, const Prologue& prologue) {
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
};

TEST_F(GpuInt4OneToken, EqualsTheReference) {
  for (const auto& [in, out] : int4_extents) {
    ASSERT_TRUE(int4_one_token_fits(in));
    const PackedInt4 w(out, in, 2);
    const Matrix x = Matrix::random(1, in, 1);
    const auto right = w.expected(x, 1);
    const auto first = one_token(w, x, {});
    EXPECT_LE(distance(first, right), int4_f32_tolerance) << in << " x " << out;
    for (int again = 0; again < 3; ++again) EXPECT_EQ(one_token(w, x, {}), first) << in << " x " << out;
  }
  EXPECT_FALSE(int4_one_token_fits(50952));
}

TEST_F(GpuInt4OneToken, WithAPrologueEqualsTheOperatorsOneByOne) {
  for (const auto& [in, out] : {std::pair{64, 72}, {4096, 200}, {14336, 50}, {28672, 50}}) {
    const PackedInt4 w(out, in, 3);
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

TEST_F(GpuInt4OneToken, WithAGatedEpilogueEqualsTheOperatorsOneByOne) {
  for (const auto& [in, out] :
       {std::pair{64, 32}, {200, 96}, {4096, 32 * 300}, {1024, 32 * 132}, {64, 128}, {200, 256}}) {
    const PackedInt4 w(2 * out, in, 3, false);
    const Array<Int4Unit> ups(PackedInt4::poisoned(int4_units(out, in)));
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

/// Long enough that each block goes round its stages many times.
TEST_F(GpuInt4OneToken, ProductsOfWholeLayersEqualThoseOfUnpackedWeights) {
  auto lt = CublasLt::open();
  ASSERT_TRUE(lt);
  for (const auto& [in, out] : {std::pair{4096, 28672}, {14336, 4096}, {4096, 6144}, {4096, 4096}}) {
    const PackedInt4 w(out, in, 2, false);
    const Matrix unpacked(out, in, 0), x = Matrix::random(1, in, 1), right{1, out};
    unpack_int4(unpacked.out().data, w.units.data(), out, in, queue);
    ASSERT_TRUE(lt->multiply({.x = x.data(),
                              .w = unpacked.data(),
                              .y = right.out().data,
                              .tokens = 1,
                              .in = in,
                              .out = out,
                              .x_stride = x.in().stride,
                              .y_stride = right.out().stride},
                             nullptr));
    EXPECT_LE(distance(one_token(w, x, {}), right.values()), bf16_tolerance) << in << " x " << out;
  }
}

}  // namespace
}  // namespace inferometer::cuda
