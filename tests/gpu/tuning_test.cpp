#include "executor/cuda/cublaslt.hpp"
#include "executor/cuda/cuda_backend.hpp"
#include "executor/cuda/product_choice.hpp"
#include "executor/cuda/tune.hpp"
#include "scenarios/tuning_file.hpp"
#include "tests/gpu/fp8.hpp"

namespace inferometer::cuda {
namespace {

constexpr ProductLimits hopper{.hopper = true};

ProductShape dense(std::int64_t tokens, std::int64_t in, std::int64_t out, DType dtype = DType::bf16) {
  return {.tokens = tokens, .in = in, .out = out, .x = dtype, .w = dtype, .x_stride = in, .y_stride = out};
}

Tuning tuned(const ProductShape& shape, const ProductChoice& choice) {
  Tuning t{.gpu = "a GPU", .cublaslt = "13.1.0", .source = "t.yaml"};
  t.products[shape].choice = choice;
  return t;
}

TEST(ProductChoice, GoesByTokensWithoutATuning) {
  const auto kernel = [](const ProductShape& s, const ProductLimits& limits) {
    return choose(s, limits, {}).kernel;
  };
  EXPECT_EQ(kernel(dense(1, 4096, 64), hopper), ProductKernel::one_token);
  EXPECT_EQ(kernel(dense(1, 4096, 64), {}), ProductKernel::cublaslt);
  EXPECT_EQ(kernel(dense(64, 4096, 64), hopper), ProductKernel::streamed);
  EXPECT_EQ(kernel(dense(65, 4096, 64), hopper), ProductKernel::cublaslt);
  EXPECT_EQ(kernel(dense(64, 4092, 64), hopper), ProductKernel::cublaslt);
  EXPECT_EQ(kernel(dense(64, 4104, 64, DType::fp8), hopper), ProductKernel::cublaslt);
  EXPECT_EQ(kernel(dense(64, 4112, 64, DType::fp8), hopper), ProductKernel::streamed);
  EXPECT_EQ(kernel(dense(64, 4096, 64), {.hopper = true, .aligned = false}), ProductKernel::cublaslt);
}

TEST(ProductChoice, IsTheTunedOneForThatShapeOnly) {
  const ProductChoice algorithm{ProductKernel::cublaslt, LibraryAlgorithm{.id = 66, .tile = 20}};
  const Tuning t = tuned(dense(64, 4096, 64), algorithm);
  EXPECT_EQ(choose(dense(64, 4096, 64), hopper, t), algorithm);
  EXPECT_EQ(choose(dense(63, 4096, 64), hopper, t).kernel, ProductKernel::streamed);
  EXPECT_EQ(choose(dense(65, 4096, 64), hopper, t), ProductChoice{});
}

TEST(ProductChoice, IsRefusedWhereATuningWasMadeElsewhere) {
  const Gpu gpu{.name = "a GPU", .major = 9};
  const Tuning t = tuned(dense(64, 4096, 64), {ProductKernel::streamed, {}});
  EXPECT_TRUE(why_not_tuned({}, gpu, "13.1.0").empty());
  EXPECT_TRUE(why_not_tuned(t, gpu, "13.1.0").empty());
  EXPECT_EQ(to_string(why_not_tuned(t, {.name = "another", .major = 9}, "13.2.0")),
            "error: t.yaml: was made on \"a GPU\", this is \"another\"; run `inferometer tune` again\n"
            "error: t.yaml: was made with cuBLASLt 13.1.0, this is 13.2.0; run `inferometer tune` again\n");
  EXPECT_EQ(
      to_string(why_not_tuned(tuned(dense(65, 4096, 64), {ProductKernel::streamed, {}}), gpu, "13.1.0")),
      "error: t.yaml: streamed cannot do 65 tokens, 4096 in, 64 out, bf16 by bf16 to bf16; run "
      "`inferometer tune` again\n");
}

struct GpuTuning : OnGpu {
  void SetUp() override {
    OnGpu::SetUp();
    if (IsSkipped()) return;
    auto opened = CublasLt::open();
    ASSERT_TRUE(opened) << to_string(opened.error());
    lt = std::move(*opened);
  }
  /// Every algorithm that is proposed, rebuilt from what a file says of it, makes `right` of the product.
  void check(Product p, const ProductShape& shape, const std::vector<double>& right, double tolerance) {
    const Matrix y{p.tokens, p.out};
    p.y = y.out().data;
    p.y_stride = y.out().stride;
    const auto proposed = lt.algorithms(p, 64);
    ASSERT_TRUE(proposed) << to_string(proposed.error());
    ASSERT_FALSE(proposed->empty());
    for (const LibraryAlgorithm& algorithm : *proposed) {
      SCOPED_TRACE(to_string(shape) + ": " + to_string(algorithm));
      const Tuning made = tuned(shape, {ProductKernel::cublaslt, algorithm});
      Tuning written = made;
      written.driver = written.date = "some";
      const auto read = read_tuning(print_tuning(written), "t.yaml");
      ASSERT_TRUE(read) << to_string(read.error());
      p.algorithm = read->find(shape)->choice.algorithm;
      EXPECT_EQ(p.algorithm, algorithm);
      ASSERT_EQ(cudaMemset(p.y, 0xff, static_cast<std::size_t>(p.tokens * p.y_stride * 2)), cudaSuccess);
      const Done done = lt.multiply(p, nullptr);
      EXPECT_TRUE(done) << to_string(done.error());
      if (!done) continue;
      EXPECT_LE(distance(y.values(), right), tolerance);
      EXPECT_TRUE(y.gaps_untouched());
    }
  }
  CublasLt lt;
};

TEST_F(GpuTuning, AlgorithmsReadFromAFileEqualTheReference) {
  for (const auto& [tokens, in, out] : {std::tuple{80, 512, 384}, std::tuple{33, 2048, 1000}}) {
    const Matrix x = Matrix::random(tokens, in, 1), w = Matrix::random(out, in, 2, 1.0F, 0);
    const Linear op{.tokens = tokens, .in = in, .out = out};
    check({.x = x.data(), .w = w.data(), .tokens = tokens, .in = in, .out = out, .x_stride = x.in().stride},
          shape_of(op, x.in().stride, out + 8), reference(op, {x.values(), w.values()})[0], bf16_tolerance);
  }
}

TEST_F(GpuTuning, AlgorithmsOfFp8ReadFromAFileEqualTheReference) {
  if (!gpu.hopper()) GTEST_SKIP() << "needs compute capability 9.0";
  const std::int64_t tokens = 80, in = 512, out = 384;
  const Array<float> scales({0.013F, NAN, NAN, NAN, 0.0021F});
  const Fp8Matrix x = Fp8Matrix::random(tokens, in, 1), w = Fp8Matrix::random(out, in, 2, 0);
  const Linear op{.tokens = tokens, .in = in, .out = out, .x = DType::fp8, .w = {.dtype = DType::fp8}};
  check({.x = x.data(),
         .w = w.data(),
         .tokens = tokens,
         .in = in,
         .out = out,
         .x_stride = x.stride(),
         .x_scale = scales.data(),
         .w_scale = scales.data() + 4},
        shape_of(op, x.stride(), out + 8), reference(op, {x.values(), {0.013F}, w.values(), {0.0021F}})[0],
        1e-2);
}

TEST_F(GpuTuning, AnAlgorithmThatCublasLtDoesNotKnowIsAnError) {
  const Matrix x = Matrix::random(80, 512, 1), w = Matrix::random(384, 512, 2, 1.0F, 0), y{80, 384};
  const Done done = lt.multiply({.x = x.data(),
                                 .w = w.data(),
                                 .y = y.out().data,
                                 .tokens = 80,
                                 .in = 512,
                                 .out = 384,
                                 .x_stride = x.in().stride,
                                 .y_stride = y.out().stride,
                                 .algorithm = LibraryAlgorithm{.id = 100'000}},
                                nullptr);
  ASSERT_FALSE(done);
  EXPECT_NE(to_string(done.error()).find("algorithm id 100000 for 80 tokens, 512 in, 384 out"),
            std::string::npos)
      << to_string(done.error());
}

TEST_F(GpuTuning, TimesEachWayAndPicksOneThatFits) {
  for (const ProductShape& shape : {dense(1, 4096, 6144), dense(16, 4096, 6144), dense(256, 4096, 6144)}) {
    const auto trial = tune_product(shape, gpu, {.overlap = true, .budget = Seconds{0.3}});
    ASSERT_TRUE(trial) << to_string(trial.error());
    EXPECT_GT(trial->candidates, 1) << to_string(shape);
    EXPECT_EQ(trial->usual, choose(shape, {.hopper = gpu.hopper()}, {}));
    EXPECT_TRUE(fits(trial->best.choice.kernel, shape, {.hopper = gpu.hopper()}));
    EXPECT_GT(trial->best.time.count(), 1e-6) << to_string(shape);
    EXPECT_GT(trial->best.default_time.count(), 1e-6) << to_string(shape);
    if (trial->better) {
      EXPECT_LT(trial->best.time, trial->best.default_time) << to_string(shape);
    }
  }
}

TEST_F(GpuTuning, OfAnotherGpuIsRefused) {
  const auto backend = CudaBackend::open({.tuning = tuned(dense(64, 4096, 64), {})});
  ASSERT_FALSE(backend);
  EXPECT_NE(to_string(backend.error()).find("was made on \"a GPU\""), std::string::npos);
}

}  // namespace
}  // namespace inferometer::cuda
