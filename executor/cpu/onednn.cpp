#include "executor/cpu/onednn.hpp"

#include <omp.h>

#include <map>
#include <oneapi/dnnl/dnnl.hpp>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "executor/cpu/bf16.hpp"
#include "executor/cpu/kernels.hpp"

// The one place that knows which oneDNN is installed: 2.x (Debian 12: 2.6) describes an operation in two
// steps, 3.x (Ubuntu 24.04: 3.1) in one.
namespace inferometer::cpu {
namespace {

using dnnl::memory;

memory::data_type type_of(DType dtype) {
  return dtype == DType::f32    ? memory::data_type::f32
         : dtype == DType::bf16 ? memory::data_type::bf16
         : dtype == DType::int8 ? memory::data_type::s8
                                : memory::data_type::s32;
}

dnnl::matmul::primitive_desc describe(const dnnl::engine& engine, const memory::desc& x,
                                      const memory::desc& w, const memory::desc* bias,
                                      const memory::desc& y) {
#if DNNL_VERSION_MAJOR >= 3
  return bias != nullptr ? dnnl::matmul::primitive_desc(engine, x, w, *bias, y)
                         : dnnl::matmul::primitive_desc(engine, x, w, y);
#else
  return {bias != nullptr ? dnnl::matmul::desc(x, w, *bias, y) : dnnl::matmul::desc(x, w, y), engine};
#endif
}

/// [matrices, rows, columns] with `stride` elements from row to row and `step` from matrix to matrix; one
/// matrix is described in two dimensions, for which oneDNN has more kernels.
memory::desc strided(std::int64_t matrices, std::int64_t rows, std::int64_t columns, DType dtype,
                     std::int64_t stride, std::int64_t step) {
  if (matrices == 1) return {{rows, columns}, type_of(dtype), memory::dims{stride, 1}};
  return {{matrices, rows, columns}, type_of(dtype), memory::dims{step, stride, 1}};
}

/// What a kernel of oneDNN is compiled for.
struct ProductKey {
  std::int64_t matrices, out, in, rows, x_stride, y_stride;
  DType x, y;
  bool bias;
  friend auto operator<=>(const ProductKey&, const ProductKey&) = default;
};

/// A compiled product and its arguments; only their addresses change from call to call.
struct Product {
  dnnl::matmul primitive;
  memory x, y, bias;
  std::unordered_map<int, memory> arguments;
};

}  // namespace

void set_threads(int count) { omp_set_num_threads(count); }
int threads() { return omp_get_max_threads(); }

struct PackedWeights::Impl {
  std::int64_t matrices, out, in;
  DType dtype, stored;  ///< as asked for, and as multiplied
  memory packed;
  std::vector<float> scales;
};

struct OneDnn::Impl {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  std::map<ProductKey, Product> products;
  std::vector<std::int32_t> sums;  ///< of int8 products, before they are scaled
  std::vector<float> widened;      ///< inputs of products that are not multiplied as they are stored

  Product& product(const PackedWeights::Impl& w, const ProductKey& key);
};

PackedWeights::PackedWeights(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PackedWeights::PackedWeights(PackedWeights&&) noexcept = default;
PackedWeights& PackedWeights::operator=(PackedWeights&&) noexcept = default;
PackedWeights::~PackedWeights() = default;
std::int64_t PackedWeights::matrices() const { return impl_->matrices; }
std::int64_t PackedWeights::out() const { return impl_->out; }
std::int64_t PackedWeights::in() const { return impl_->in; }
DType PackedWeights::dtype() const { return impl_->dtype; }
Bytes PackedWeights::bytes() const {
  return Bytes{static_cast<std::int64_t>(impl_->packed.get_desc().get_size() + impl_->scales.size() * sizeof(float))};
}

OneDnn::OneDnn() : impl_(std::make_unique<Impl>()) {}
OneDnn::~OneDnn() = default;

std::string OneDnn::version() {
  const dnnl_version_t* v = dnnl_version();
  return "oneDNN " + std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
}

bool OneDnn::native(DType dtype) {
  if (dtype == DType::f32 || dtype == DType::int8) return true;
  if (dtype != DType::bf16) return false;
  // oneDNN emulates bf16 on AVX-512 without its bf16 instructions, and refuses it below AVX-512.
  try {
    const dnnl::engine engine{dnnl::engine::kind::cpu, 0};
    const memory::desc any{{16, 16}, memory::data_type::bf16, memory::format_tag::any};
    const auto pd = describe(engine, any, any, nullptr, any);
    return std::string{pd.impl_info_str()}.find("ref") == std::string::npos;
  } catch (const dnnl::error&) {
    return false;
  }
}

Result<PackedWeights> OneDnn::pack(const WeightSource& s) {
  if (s.dtype != DType::f32 && s.dtype != DType::bf16 && s.dtype != DType::int8) {
    return failure("weights in " + std::string{name(s.dtype)} + " are not multiplied on the CPU");
  }
  static const bool native_bf16 = native(DType::bf16);
  const DType stored = s.dtype == DType::bf16 && !native_bf16 ? DType::f32 : s.dtype;
  const std::int64_t elements = s.matrices * s.out * s.in;
  try {
    const void* values = s.values;
    std::vector<float> wide;
    if (stored != s.dtype) {
      wide.resize(static_cast<std::size_t>(elements));
      kernels().widen({.x = {s.values, elements}, .y = wide.data(), .tokens = 1, .width = elements});
      values = wide.data();
    }
    // The layout is the same for all numbers of rows (measured with 2.6 and 3.1: [in/16][out/64] blocks).
    constexpr std::int64_t typical_rows = 16;
    const bool one = s.matrices == 1;
    const memory::dims shape = one ? memory::dims{s.in, s.out} : memory::dims{s.matrices, s.in, s.out};
    const memory::desc any{shape, type_of(stored), memory::format_tag::any};
    const DType y = stored == DType::int8 ? DType::i32 : DType::f32;
    const auto pd = describe(impl_->engine, strided(s.matrices, typical_rows, s.in, stored, s.matrices * s.in, s.in),
                             any, nullptr,
                             strided(s.matrices, typical_rows, s.out, y, s.matrices * s.out, s.out));
    const memory::dims transposed = one ? memory::dims{1, s.in} : memory::dims{s.out * s.in, 1, s.in};
    memory plain{{shape, type_of(stored), transposed}, impl_->engine, const_cast<void*>(values)};
    auto impl = std::make_unique<PackedWeights::Impl>(
        PackedWeights::Impl{s.matrices, s.out, s.in, s.dtype, stored, {pd.weights_desc(), impl_->engine}, {}});
    dnnl::reorder(plain, impl->packed).execute(impl_->stream, plain, impl->packed);
    impl_->stream.wait();
    if (s.scales != nullptr) impl->scales.assign(s.scales, s.scales + s.matrices * s.out);
    return PackedWeights{std::move(impl)};
  } catch (const dnnl::error& e) {
    return failure("oneDNN could not pack weights [" + std::to_string(s.out) + ", " + std::to_string(s.in) +
                   "] in " + std::string{name(s.dtype)} + ": " + e.what());
  }
}

Product& OneDnn::Impl::product(const PackedWeights::Impl& w, const ProductKey& key) {
  if (const auto found = products.find(key); found != products.end()) return found->second;
  const auto x = strided(key.matrices, key.rows, key.in, key.x, key.x_stride, key.in);
  const auto y = strided(key.matrices, key.rows, key.out, key.y, key.y_stride, key.out);
  const auto b = strided(key.matrices, 1, key.out, DType::f32, key.out, key.out);
  const auto pd = describe(engine, x, w.packed.get_desc(), key.bias ? &b : nullptr, y);
  Product p{dnnl::matmul(pd), memory(x, engine, nullptr), memory(y, engine, nullptr), {}, {}};
  if (key.bias) p.bias = memory(b, engine, nullptr);
  return products.emplace(key, std::move(p)).first->second;
}

void OneDnn::multiply(const PackedWeights& weights, const ProductInput& x, const ProductOutput& y,
                      const float* bias) {
  const PackedWeights::Impl& w = *weights.impl_;
  if (x.rows == 0) return;
  ProductInput in = x;
  const std::int64_t x_width = w.matrices * w.in, y_width = w.matrices * w.out;
  if (x.dtype == DType::bf16 && w.stored == DType::f32) {
    impl_->widened.resize(static_cast<std::size_t>(x.rows * x_width));
    kernels().widen({.x = {x.data, x.stride}, .y = impl_->widened.data(), .tokens = x.rows, .width = x_width});
    in = {.data = impl_->widened.data(), .dtype = DType::f32, .rows = x.rows, .stride = x_width};
  }
  require(in.dtype == w.stored, "a product's input has the dtype of its weights");
  // oneDNN sees one stride for one row: whatever it is, it is never followed.
  const auto stride = [&](std::int64_t given, std::int64_t width) { return x.rows == 1 ? width : given; };
  const bool integer = w.stored == DType::int8;
  void* target = y.data;
  ProductKey key{w.matrices, w.out,   w.in,    x.rows, stride(in.stride, x_width), stride(y.stride, y_width),
                 in.dtype,   y.dtype, bias != nullptr};
  if (integer) {
    impl_->sums.resize(static_cast<std::size_t>(x.rows * y_width));
    target = impl_->sums.data();
    key.y = DType::i32;
    key.y_stride = y_width;
    key.bias = false;
  }
  Product& p = impl_->product(w, key);
  p.x.set_data_handle(const_cast<void*>(in.data));
  p.y.set_data_handle(target);
  if (key.bias) p.bias.set_data_handle(const_cast<float*>(bias));
  p.arguments = {{DNNL_ARG_SRC, p.x}, {DNNL_ARG_WEIGHTS, w.packed}, {DNNL_ARG_DST, p.y}};
  if (key.bias) p.arguments.emplace(DNNL_ARG_BIAS, p.bias);
  p.primitive.execute(impl_->stream, p.arguments);
  impl_->stream.wait();
  if (!integer) return;
  kernels().dequantize({.sums = impl_->sums.data(),
                        .row_scales = x.scales,
                        .column_scales = w.scales.data(),
                        .bias = bias,
                        .y = {y.data, y.stride},
                        .dtype = y.dtype,
                        .tokens = x.rows,
                        .width = y_width});
}

}  // namespace inferometer::cpu
