#include "model/operators/pointwise.hpp"
#include "model/operators/embedding.hpp"
#include "model/operators/norm.hpp"
#include "model/operators/rope.hpp"
#include "tests/gpu/device.hpp"

namespace inferometer::cuda {
namespace {

using GpuKernels = OnGpu;

struct Size {
  std::int64_t tokens, width;
};
constexpr Size sizes[] = {{1, 1},     {1, 64},   {3, 80},   {2, 17},   {5, 576},
                          {33, 1000}, {7, 4096}, {2, 5120}, {3, 8192}, {2, 12000}};

TEST_F(GpuKernels, RmsNormOfRowsAndOfHeads) {
  for (const auto& [tokens, width] : sizes) {
    for (const std::int64_t groups : {1, 3}) {
      const Matrix x = Matrix::random(tokens, groups * width, 1), w = Matrix::random(1, width, 2);
      const Matrix y{tokens, groups * width};
      rms_norm({.x = x.in(),
                .w = w.data(),
                .y = y.out(),
                .tokens = tokens,
                .groups = groups,
                .width = width,
                .eps = 1e-5F},
               queue);
      const RmsNorm op{.tokens = tokens, .groups = groups, .width = width, .eps = 1e-5};
      EXPECT_LE(distance(y.values(), reference(op, {x.values(), w.values()})[0]), bf16_tolerance) << width;
      EXPECT_TRUE(y.gaps_untouched());
    }
  }
}

TEST_F(GpuKernels, AddRmsNormWritesTheSumAndItsNorm) {
  for (const auto& [tokens, width] : sizes) {
    const Matrix x = Matrix::random(tokens, width, 1), r = Matrix::random(tokens, width, 2, 3.0F);
    const Matrix w = Matrix::random(1, width, 3), sum{tokens, width}, y{tokens, width};
    add_rms_norm({.x = x.in(),
                  .residual = r.in(),
                  .w = w.data(),
                  .sum = sum.out(),
                  .y = y.out(),
                  .tokens = tokens,
                  .width = width,
                  .eps = 1e-6F},
                 queue);
    const AddRmsNorm op{.tokens = tokens, .width = width};
    const auto expected = reference(op, {x.values(), r.values(), w.values()});
    EXPECT_LE(distance(sum.values(), expected[0]), bf16_tolerance);
    EXPECT_LE(distance(y.values(), expected[1]), 2 * bf16_tolerance) << "rounded twice";
    EXPECT_TRUE(sum.gaps_untouched() && y.gaps_untouched());
  }
}

TEST_F(GpuKernels, AddRmsNormGathersRows) {
  for (const auto& [tokens, width] : sizes) {
    const std::int64_t many = 2 * tokens + 3;
    const Matrix x = Matrix::random(many, width, 1), r = Matrix::random(many, width, 2, 3.0F);
    const Matrix w = Matrix::random(1, width, 3), sum{tokens, width}, y{tokens, width};
    std::vector<std::int32_t> rows;
    for (std::int64_t t = 0; t < tokens; ++t) rows.push_back(static_cast<std::int32_t>((7 * t + 5) % many));
    const Array<std::int32_t> on_device(rows);
    add_rms_norm({.x = x.in(),
                  .residual = r.in(),
                  .w = w.data(),
                  .sum = sum.out(),
                  .y = y.out(),
                  .tokens = tokens,
                  .width = width,
                  .eps = 1e-6F,
                  .rows = on_device.data()},
                 queue);
    const AddRmsNorm op{.tokens = tokens, .width = width, .gathered = true};
    const auto expected =
        reference(op, {x.values(), r.values(), w.values(), std::vector<double>(rows.begin(), rows.end())});
    EXPECT_LE(distance(sum.values(), expected[0]), bf16_tolerance);
    EXPECT_LE(distance(y.values(), expected[1]), 2 * bf16_tolerance) << "rounded twice";
    EXPECT_TRUE(sum.gaps_untouched() && y.gaps_untouched());
  }
}

TEST_F(GpuKernels, AddAndGatedActivations) {
  for (const auto& [tokens, width] : sizes) {
    const Matrix a = Matrix::random(tokens, width, 1, 3.0F), b = Matrix::random(tokens, width, 2, 9.0F);
    const Matrix y{tokens, width};
    add({.x = a.in(), .r = b.in(), .y = y.out(), .tokens = tokens, .width = width}, queue);
    const Add op{.tokens = tokens, .width = width};
    EXPECT_LE(distance(y.values(), reference(op, {a.values(), b.values()})[0]), bf16_tolerance);
    for (const auto& [gate, activation] :
         {std::pair{Gate::silu, Activation::silu}, std::pair{Gate::gelu_tanh, Activation::gelu_tanh},
          std::pair{Gate::clamped_silu, Activation::clamped_silu}}) {
      gated(
          {.gate = a.in(), .up = b.in(), .y = y.out(), .activation = gate, .tokens = tokens, .width = width},
          queue);
      const GatedActivation act{.tokens = tokens, .width = width, .activation = activation};
      EXPECT_LE(distance(y.values(), reference(act, {a.values(), b.values()})[0]), bf16_tolerance);
      EXPECT_TRUE(y.gaps_untouched());
    }
  }
}

TEST_F(GpuKernels, GatherTakesTheNamedRows) {
  for (const auto& [tokens, width] : sizes) {
    const Matrix table = Matrix::random(9, width, 4), y{tokens, width};
    std::vector<std::int32_t> rows;
    std::vector<double> ids;
    for (std::int64_t i = 0; i < tokens; ++i) {
      rows.push_back(static_cast<std::int32_t>((i * 5 + 3) % 9));
      ids.push_back(rows.back());
    }
    const Array<std::int32_t> on_device(rows);
    gather({.x = table.in(), .rows = on_device.data(), .y = y.out(), .count = tokens, .width = width}, queue);
    const Embedding op{.tokens = tokens, .vocab = 9, .width = width};
    EXPECT_EQ(distance(y.values(), reference(op, {ids, table.values()})[0]), 0);
    EXPECT_TRUE(y.gaps_untouched());
  }
}

TEST_F(GpuKernels, RopeTurnsPairs) {
  constexpr std::int64_t tokens = 5, heads = 3, positions = 20;
  for (const std::int64_t rotary : {8, 24, 64}) {
    for (const bool interleaved : {false, true}) {
      std::vector<float> table;
      for (std::int64_t i = 0; i < positions * rotary; ++i)
        table.push_back(seeded_uniform(7, static_cast<std::uint64_t>(i)));
      const std::vector<std::int32_t> at{3, 0, 19, 7, 7};
      const Array<float> table_there(table);
      const Array<std::int32_t> at_there(at);
      const Matrix q = Matrix::random(tokens, heads * rotary, 1), k = Matrix::random(tokens, rotary, 2);
      std::vector<double> rows;
      for (const std::int32_t p : at)
        rows.insert(rows.end(), table.begin() + p * rotary, table.begin() + (p + 1) * rotary);
      const RopeApply op{
          .tokens = tokens, .q_heads = heads, .k_heads = 1, .rotary = rotary, .interleaved = interleaved};
      const auto expected = reference(op, {q.values(), k.values(), rows});
      rope({.q = q.out(),
            .k = k.out(),
            .table = table_there.data(),
            .positions = at_there.data(),
            .tokens = tokens,
            .q_heads = heads,
            .k_heads = 1,
            .rotary = rotary,
            .q_head_stride = rotary,
            .k_head_stride = rotary,
            .interleaved = interleaved},
           queue);
      EXPECT_LE(distance(q.values(), expected[0]), bf16_tolerance);
      EXPECT_LE(distance(k.values(), expected[1]), bf16_tolerance);
      EXPECT_TRUE(q.gaps_untouched() && k.gaps_untouched());
    }
  }
}

TEST_F(GpuKernels, ArgmaxNamesTheFirstOfTheLargest) {
  constexpr std::int64_t rows = 3;
  for (const std::int64_t width : {1, 9, 2048, 8193, 8196, 16388, 128256, 128258}) {
    std::vector<float> x;
    for (std::int64_t i = 0; i < rows * width; ++i) {
      const float noise = seeded_uniform(5, static_cast<std::uint64_t>(i));
      x.push_back(std::floor(noise * 50.0F) -
                  (i / width == 1 ? 100.0F : 0.0F));  // with ties; one row negative
    }
    const Array<float> there(x);
    const Array<std::int32_t> ids(std::vector<std::int32_t>(rows, -1));
    const Array<std::uint64_t> largest(std::vector<std::uint64_t>(rows, 0));
    const Array<std::uint32_t> ended(std::vector<std::uint32_t>(rows, 0));
    const Argmax op{.tokens = rows, .vocab = width};
    const auto expected = reference(op, {std::vector<double>(x.begin(), x.end())})[0];
    for (int again = 0; again < 2; ++again) {
      argmax({.x = there.data(),
              .stride = width,
              .ids = ids.data(),
              .tokens = rows,
              .width = width,
              .largest = largest.data(),
              .ended = ended.data()},
             queue);
      const auto found = ids.values();
      EXPECT_EQ(std::vector<double>(found.begin(), found.end()), expected) << width;
    }
  }
}

}  // namespace
}  // namespace inferometer::cuda
