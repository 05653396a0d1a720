#include "executor/cuda/kernels/int4.hpp"
#include "executor/cuda/kernels/packing.hpp"
#include "executor/cuda/kernels/products_fp8.hpp"
#include "executor/cuda/launch_product.hpp"
#include "executor/cuda/product_choice.hpp"
#include "executor/cuda/tensor_map.hpp"
#include "tests/bench/gpu_kernel_bench.hpp"

// Products of Llama-3.1-8B by each kernel. M: tokens, N: outputs, K: inputs
namespace inferometer::cuda {
namespace {

struct Shape3 {
  std::int64_t tokens, out, in;
  explicit Shape3(const benchmark::State& s) : tokens(s.range(0)), out(s.range(1)), in(s.range(2)) {}
  Work work(DType x, DType w) const {
    return work_of(Linear{.tokens = tokens, .in = in, .out = out, .x = x, .w = {w}});
  }
};

CUtensorMap map_of(const DeviceBuffer& buffer, std::int64_t rows, std::int64_t columns, std::int32_t box_rows,
                   std::int32_t element_bytes = 2) {
  const auto map = tensor_map({buffer.data(), rows, columns, columns, box_rows, element_bytes});
  require(map.has_value(), "a tensor map");
  return *map;
}

/// What multiprocessors share that compute parts of one tile.
struct Shared {
  Shared(std::int64_t floats, int processors) : partial(memory(floats * 4)), flags(zeros(processors * 4)) {}
  DeviceBuffer partial, flags;
};

Bf16Product few_tokens(const Shape3& s, const DeviceBuffer& x, const Bf16* w, const DeviceBuffer& y) {
  return {.x = as<Bf16>(x),
          .x_stride = s.in,
          .w = w,
          .y = y.data(),
          .y_stride = s.out,
          .tokens = static_cast<std::int32_t>(s.tokens),
          .in = static_cast<std::int32_t>(s.in),
          .out = static_cast<std::int32_t>(s.out)};
}

Product product(const Shape3& s, const void* x, const void* w, void* y, const float* x_scale = nullptr,
                const float* w_scale = nullptr) {
  return {.x = x,
          .w = w,
          .y = y,
          .tokens = s.tokens,
          .in = s.in,
          .out = s.out,
          .x_stride = s.in,
          .y_stride = s.out,
          .x_scale = x_scale,
          .w_scale = w_scale};
}
void multiply(Bench& b, const Product& p) {
  require(b.products.multiply(p, b.queue.stream).has_value(), "a product by cuBLASLt");
}
void stream(Bench& b, const Product& p) {
  require(stream_product(p, {}, {}, b.queue).has_value(), "a streamed product");
}

void bf16(benchmark::State& state, ProductKernel kernel) {
  Bench* b = Bench::on(state, kernel != ProductKernel::cublaslt);
  if (b == nullptr) return;
  const Shape3 s(state);
  const DeviceBuffer x = values(s.tokens, s.in, 1), w = values(s.out, s.in, 2),
                     y = memory(s.tokens * s.out * 2);
  const Bf16Product few = few_tokens(s, x, as<Bf16>(w), y);
  const Work work = s.work(DType::bf16, DType::bf16);
  if (kernel == ProductKernel::one_token) {
    b->time(state, work, [&] { product_one_token(few, {}, {}, b->queue); });
  } else if (kernel == ProductKernel::streamed) {
    b->time(state, work, [&] { stream(*b, product(s, x.data(), w.data(), y.data())); });
  } else {
    b->time(state, work, [&] { multiply(*b, product(s, x.data(), w.data(), y.data())); });
  }
}

/// e4m3 [rows, columns], dense, and their scale.
struct Quantized {
  Quantized(std::int64_t rows, std::int64_t columns, std::uint64_t key)
      : q(memory(rows * columns)), scale(memory(4)) {
    const DeviceBuffer from = values(rows, columns, key);
    quantize_fp8_weight({as<Bf16>(from), as<Fp8>(q), as<float>(scale), rows * columns}, {});
  }
  DeviceBuffer q, scale;
};

void fp8(benchmark::State& state, ProductKernel kernel) {
  Bench* b = Bench::on(state, true);
  if (b == nullptr) return;
  const Shape3 s(state);
  const Quantized x(s.tokens, s.in, 1), w(s.out, s.in, 2);
  const DeviceBuffer y = memory(s.tokens * s.out * 2);
  const Fp8Product few{.x = as<Fp8>(x.q),
                       .x_stride = s.in,
                       .w = as<Fp8>(w.q),
                       .x_scale = as<float>(x.scale),
                       .w_scale = as<float>(w.scale),
                       .y = y.data(),
                       .y_stride = s.out,
                       .tokens = static_cast<std::int32_t>(s.tokens),
                       .in = static_cast<std::int32_t>(s.in),
                       .out = static_cast<std::int32_t>(s.out)};
  const Work work = s.work(DType::fp8, DType::fp8);
  if (kernel == ProductKernel::one_token) {
    b->time(state, work, [&] { product_one_token_fp8(few, {}, b->queue); });
  } else if (kernel == ProductKernel::streamed) {
    b->time(state, work, [&] { stream(*b, product(s, few.x, few.w, few.y, few.x_scale, few.w_scale)); });
  } else {
    b->time(state, work, [&] { multiply(*b, product(s, few.x, few.w, few.y, few.x_scale, few.w_scale)); });
  }
}

void int4(benchmark::State& state, Int4Kernel kernel) {
  Bench* b = Bench::on(state, kernel != Int4Kernel::unpacked);
  if (b == nullptr) return;
  const Shape3 s(state);
  const DeviceBuffer x = values(s.tokens, s.in, 1), y = memory(s.tokens * s.out * 2);
  const DeviceBuffer w = memory(int4_units(s.out, s.in) * static_cast<std::int64_t>(sizeof(Int4Unit)));
  const DeviceBuffer wide = values(s.out, s.in, 2);
  pack_int4(as<Int4Unit>(w), as<Bf16>(wide), s.out, s.in, {});
  const Bf16Product few = few_tokens(s, x, nullptr, y);
  const Work work = s.work(DType::bf16, DType::int4);
  if (kernel == Int4Kernel::unpacked) {
    b->time(state, work, [&] {
      unpack_int4(as<Bf16>(wide), as<Int4Unit>(w), s.out, s.in, b->queue);
      multiply(*b, product(s, x.data(), wide.data(), y.data()));
    });
  } else if (kernel == Int4Kernel::one_token) {
    b->time(state, work, [&] { product_int4_one_token(few, as<Int4Unit>(w), {}, {}, b->queue); });
  } else if (kernel == Int4Kernel::streamed) {
    const CUtensorMap map = *streamed_int4_inputs(x.data(), s.tokens, s.in, s.in);
    b->time(state, work, [&] { product_int4_streamed(few, {.w = as<Int4Unit>(w)}, {}, {}, map, b->queue); });
  } else {
    const Shared shared(int4_partials(b->queue.processors), b->queue.processors);
    const Int4Split split{as<float>(shared.partial), as<std::uint32_t>(shared.flags)};
    const CUtensorMap map = map_of(x, s.tokens, s.in, int4_tiled_tile(s.tokens));
    b->time(state, work, [&] { product_int4_tiled(few, as<Int4Unit>(w), map, split, b->queue); });
  }
}

/// qkv, o, gate_up and down, by so many tokens.
template <std::int64_t... tokens>
void layers(benchmark::internal::Benchmark* b) {
  for (const auto& [out, in] : {std::pair{6144, 4096}, {4096, 4096}, {28672, 4096}, {4096, 14336}})
    (b->Args({tokens, out, in}), ...);
  timed(b)->ArgNames({"M", "N", "K"});
}
/// The head too, which stays in bf16.
template <std::int64_t... tokens>
void layers_and_head(benchmark::internal::Benchmark* b) {
  layers<tokens...>(b);
  (b->Args({tokens, 128256, 4096}), ...);
}

BENCHMARK_CAPTURE(bf16, one_token, ProductKernel::one_token)->Apply(layers_and_head<1>);
BENCHMARK_CAPTURE(bf16, streamed, ProductKernel::streamed)->Apply(layers_and_head<1, 16, 33, 48, 64>);
BENCHMARK_CAPTURE(bf16, cublaslt, ProductKernel::cublaslt)->Apply(layers_and_head<1, 16, 64, 256, 2048>);
BENCHMARK_CAPTURE(fp8, one_token, ProductKernel::one_token)->Apply(layers<1>);
BENCHMARK_CAPTURE(fp8, streamed, ProductKernel::streamed)->Apply(layers<1, 16, 64>);
BENCHMARK_CAPTURE(fp8, cublaslt, ProductKernel::cublaslt)->Apply(layers<1, 16, 64, 256, 2048>);
BENCHMARK_CAPTURE(int4, one_token, Int4Kernel::one_token)->Apply(layers<1>);
BENCHMARK_CAPTURE(int4, streamed, Int4Kernel::streamed)->Apply(layers<1, 16>);
BENCHMARK_CAPTURE(int4, tiled, Int4Kernel::tiled)->Apply(layers<64, 256>);
BENCHMARK_CAPTURE(int4, unpacked, Int4Kernel::unpacked)->Apply(layers<256, 2048>);

}  // namespace
}  // namespace inferometer::cuda
