#include "executor/cpu/onednn.hpp"

#include <omp.h>

#include <map>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>
#include <vector>

// 2.x (Debian 12: 2.6) describes an operation in two steps, 3.x (Ubuntu 24.04: 3.1) in one.
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

/// Dense [matrices, rows, columns]: oneDNN has no fast kernel for inputs with gaps between their rows (2.6
/// and 3.1 fall back to "ref:any"). One matrix is described in two dimensions.
memory::desc dense(std::int64_t matrices, std::int64_t rows, std::int64_t columns, DType dtype) {
  if (matrices == 1) return {{rows, columns}, type_of(dtype), memory::format_tag::ab};
  return {{matrices, rows, columns}, type_of(dtype), memory::format_tag::abc};
}

/// Plain weights whose rows are multiples of a kilobyte apart fall on few sets of the caches, at half of the
/// rate and less: rows further apart.   matrices [.., in, out] as oneDNN wants them
memory::desc apart(const memory::desc& wanted, std::int64_t matrices, std::int64_t in, std::int64_t out,
                   DType dtype) {
  constexpr std::int64_t critical = 1024, line = 64;
  const std::int64_t element = dtype == DType::f32 ? 4 : dtype == DType::bf16 ? 2 : 1;
  if (wanted != dense(matrices, in, out, dtype) || out * element % critical != 0) return wanted;
  const std::int64_t row = out + line / element;
  if (matrices == 1) return {{in, out}, type_of(dtype), memory::dims{row, 1}};
  return {{matrices, in, out}, type_of(dtype), memory::dims{in * row, row, 1}};
}

/// What a kernel of oneDNN is compiled for.
struct ProductKey {
  std::int64_t matrices, out, in, rows;
  DType x, y;
  bool bias;
  friend auto operator<=>(const ProductKey&, const ProductKey&) = default;
};

/// A compiled product and its arguments; only their addresses change from call to call.
struct Product {
  dnnl::matmul primitive;
  std::unordered_map<int, memory> arguments;
};

}  // namespace

void set_threads(int count) { omp_set_num_threads(count); }
int threads() { return omp_get_max_threads(); }

struct OneDnnWeights::Impl {
  std::int64_t matrices, out, in;
  DType dtype;
  memory packed;
};
OneDnnWeights::OneDnnWeights(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
OneDnnWeights::OneDnnWeights(OneDnnWeights&&) noexcept = default;
OneDnnWeights& OneDnnWeights::operator=(OneDnnWeights&&) noexcept = default;
OneDnnWeights::~OneDnnWeights() = default;
Bytes OneDnnWeights::bytes() const {
  return Bytes{static_cast<std::int64_t>(impl_->packed.get_desc().get_size())};
}

struct OneDnn::Impl {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  std::map<ProductKey, Product> products;

  Product& product(const OneDnnWeights::Impl& w, const ProductKey& key);
};
OneDnn::OneDnn() : impl_(std::make_unique<Impl>()) {}
OneDnn::~OneDnn() = default;

std::string OneDnn::version() {
  const dnnl_version_t* v = dnnl_version();
  return "oneDNN " + std::to_string(v->major) + "." + std::to_string(v->minor) + "." +
         std::to_string(v->patch);
}

std::int64_t OneDnn::tile_rows() {
  const auto here = static_cast<unsigned>(dnnl::get_effective_cpu_isa());  // sets of features, as bits
  const auto amx = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_amx);
  return (here & amx) == amx ? 16 : 1;
}

bool OneDnn::native(DType dtype) {
  if (dtype == DType::f32) return true;
  constexpr std::int64_t size = 64;
  if (dtype == DType::bf16)
    return pack(std::vector<char>(2 * size * size).data(), dtype, 1, size, size).has_value();
  if (dtype != DType::int8) return false;
  const std::vector<std::int8_t> largest(size * size, 127);
  std::vector<std::int32_t> sums(size * size);
  const auto w = pack(largest.data(), dtype, 1, size, size);
  if (!w) return false;
  multiply(*w, largest.data(), size, sums.data(), DType::i32);
  return sums == std::vector<std::int32_t>(size * size, 127 * 127 * size);
}

Result<OneDnnWeights> OneDnn::pack(const void* values, DType dtype, std::int64_t matrices, std::int64_t out,
                                   std::int64_t in) {
  try {
    // The layout is the same for all numbers of rows (measured with 2.6 and 3.1: blocks of 16 or more inputs
    // by 64 outputs, plain below AVX-512), so that one copy serves them all.
    constexpr std::int64_t typical_rows = 16;
    const bool one = matrices == 1;
    const memory::dims shape = one ? memory::dims{in, out} : memory::dims{matrices, in, out};
    const memory::dims transposed = one ? memory::dims{1, in} : memory::dims{out * in, 1, in};
    const auto pd =
        describe(impl_->engine, dense(matrices, typical_rows, in, dtype),
                 {shape, type_of(dtype), memory::format_tag::any}, nullptr,
                 dense(matrices, typical_rows, out, dtype == DType::int8 ? DType::i32 : DType::f32));
    memory plain{{shape, type_of(dtype), transposed}, impl_->engine, const_cast<void*>(values)};
    auto weights = std::make_unique<OneDnnWeights::Impl>(OneDnnWeights::Impl{
        matrices, out, in, dtype, {apart(pd.weights_desc(), matrices, in, out, dtype), impl_->engine}});
    dnnl::reorder(plain, weights->packed).execute(impl_->stream, plain, weights->packed);
    impl_->stream.wait();
    return OneDnnWeights{std::move(weights)};
  } catch (const dnnl::error& e) {
    return failure("oneDNN could not pack weights [" + std::to_string(out) + ", " + std::to_string(in) +
                   "] in " + std::string{name(dtype)} + ": " + e.what());
  }
}

Product& OneDnn::Impl::product(const OneDnnWeights::Impl& w, const ProductKey& key) {
  if (const auto found = products.find(key); found != products.end()) return found->second;
  const auto x = dense(key.matrices, key.rows, key.in, key.x);
  const auto y = dense(key.matrices, key.rows, key.out, key.y);
  const auto b = dense(key.matrices, 1, key.out, DType::f32);
  const auto pd = describe(engine, x, w.packed.get_desc(), key.bias ? &b : nullptr, y);
  Product p{dnnl::matmul(pd), {{DNNL_ARG_SRC, {x, engine, nullptr}}, {DNNL_ARG_DST, {y, engine, nullptr}}}};
  if (key.bias) p.arguments.emplace(DNNL_ARG_BIAS, memory{b, engine, nullptr});
  return products.emplace(key, std::move(p)).first->second;
}

void OneDnn::multiply(const OneDnnWeights& weights, const void* x, std::int64_t rows, void* y, DType y_dtype,
                      const float* bias) {
  const OneDnnWeights::Impl& w = *weights.impl_;
  try {
    Product& p = impl_->product(w, {w.matrices, w.out, w.in, rows, w.dtype, y_dtype, bias != nullptr});
    p.arguments.at(DNNL_ARG_SRC).set_data_handle(const_cast<void*>(x));
    p.arguments.at(DNNL_ARG_DST).set_data_handle(y);
    if (bias != nullptr) p.arguments.at(DNNL_ARG_BIAS).set_data_handle(const_cast<float*>(bias));
    p.arguments.insert_or_assign(DNNL_ARG_WEIGHTS, w.packed);
    p.primitive.execute(impl_->stream, p.arguments);
    impl_->stream.wait();
  } catch (const dnnl::error& e) {
    require(false, e.what());  // whatever could be packed can be multiplied
  }
}

}  // namespace inferometer::cpu
