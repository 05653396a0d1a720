#include "executor/cuda/kernels/quantize.hpp"

#include "model/operators/norm.hpp"
#include "model/operators/pointwise.hpp"
#include "model/operators/quantize.hpp"
#include "tests/gpu/fp8.hpp"

namespace inferometer::cuda {
namespace {

using GpuQuantize = OnGpu;

constexpr std::int64_t sizes[][2] = {{1, 1},     {1, 64},   {3, 80},   {2, 17},
                                     {33, 1000}, {7, 4096}, {3, 8192}, {2, 12000}};

std::vector<double> rounded(std::vector<double> values) {
  for (double& v : values) v = e4m3(static_cast<float>(v));
  return values;
}

TEST_F(GpuQuantize, DividesByTheScaleRoundsAndSaturates) {
  for (const auto& [tokens, width] : sizes) {
    const Matrix x = Matrix::random(tokens, width, 1, 3.0F);
    for (const float scale : {0.01F, 0.0001F, 0.0F}) {  // the second is too small for most of the values
      const Array<float> there({scale});
      const Fp8Matrix q{tokens, width};
      quantize_fp8({.x = x.in(), .q = {q.data(), q.stride(), there.data()}, .tokens = tokens, .width = width},
                   queue);
      const Quantize op{.tokens = tokens, .width = width, .to = DType::fp8};
      // A factor that is rounded otherwise may take a value that is halfway to the other side.
      EXPECT_LE(distance(q.values(), rounded(reference(op, {x.values(), {scale}})[0])), 2e-3) << width;
      EXPECT_TRUE(q.gaps_untouched());
    }
  }
}

TEST_F(GpuQuantize, AScaleTakesTheLargestToTheLargest) {
  for (const auto& [tokens, width] : sizes) {
    const Matrix x = Matrix::random(tokens, width, 1, 3.0F);
    double largest = 0;
    for (const double v : x.values()) largest = std::max(largest, std::abs(v));
    const Array<float> scale({NAN});
    for (int again = 0; again < 2; ++again) {
      find_input_scale(x.in(), tokens, width, scale.data(), queue);
      EXPECT_NEAR(scale.values()[0], largest / 448, largest * 1e-6) << tokens << " x " << width;
    }
  }
}

/// What the kernels write themselves is what quantize_fp8 makes of what they write in bf16, to the bit.
TEST_F(GpuQuantize, InsideKernelsIsTheSame) {
  const Array<float> scale({0.02F});
  for (const auto& [tokens, width] : sizes) {
    const Matrix x = Matrix::random(tokens, width, 1, 2.0F), r = Matrix::random(tokens, width, 2, 3.0F);
    const Matrix w = Matrix::random(1, width, 3);
    const auto same = [&](auto run, const char* what) {
      const Matrix y{tokens, width};
      const Fp8Matrix apart{tokens, width}, inside{tokens, width};
      run(y.out(), QuantizedOut{});
      quantize_fp8(
          {.x = y.in(), .q = {apart.data(), apart.stride(), scale.data()}, .tokens = tokens, .width = width},
          queue);
      run(Out{}, QuantizedOut{inside.data(), inside.stride(), scale.data()});
      EXPECT_EQ(distance(inside.values(), apart.values()), 0) << what << ' ' << tokens << " x " << width;
      EXPECT_TRUE(inside.gaps_untouched());
    };
    same(
        [&](Out y, QuantizedOut q) {
          rms_norm({.x = x.in(), .w = w.data(), .y = y, .tokens = tokens, .width = width, .q = q}, queue);
        },
        "norm");
    same(
        [&](Out y, QuantizedOut q) {
          const Matrix sum{tokens, width};
          add_rms_norm({.x = x.in(),
                        .residual = r.in(),
                        .w = w.data(),
                        .sum = sum.out(),
                        .y = y,
                        .tokens = tokens,
                        .width = width,
                        .q = q},
                       queue);
          const AddRmsNorm op{.tokens = tokens, .width = width};
          EXPECT_LE(distance(sum.values(), reference(op, {x.values(), r.values(), w.values()})[0]),
                    bf16_tolerance);
        },
        "add and norm");
    for (const Gate gate : {Gate::silu, Gate::gelu_tanh, Gate::clamped_silu}) {
      same(
          [&](Out y, QuantizedOut q) {
            gated({.gate = x.in(),
                   .up = r.in(),
                   .y = y,
                   .activation = gate,
                   .tokens = tokens,
                   .width = width,
                   .q = q},
                  queue);
          },
          "gated activation");
    }
  }
}

}  // namespace
}  // namespace inferometer::cuda
