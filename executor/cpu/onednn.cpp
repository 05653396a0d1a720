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

/// Dense [matrices, rows, columns]: oneDNN has no fast kernel for rows with gaps between them (2.6 and 3.1
/// fall back to "ref:any"). One matrix is described in two dimensions.
memory::desc dense(std::int64_t matrices, std::int64_t rows, std::int64_t columns, DType dtype) {
  if (matrices == 1) return {{rows, columns}, type_of(dtype), memory::format_tag::ab};
  return {{matrices, rows, columns}, type_of(dtype), memory::format_tag::abc};
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

void* at(void* data, DType dtype, std::int64_t elements) {
  return static_cast<char*>(data) + size_of(elements, dtype).value;
}
const void* at(const void* data, DType dtype, std::int64_t elements) {
  return static_cast<const char*>(data) + size_of(elements, dtype).value;
}

void move_rows(In from, DType from_dtype, Out to, DType to_dtype, std::int64_t rows, std::int64_t width) {
  if (from_dtype == to_dtype) {
    kernels().gather(
        {.x = from, .y = to, .count = rows, .width = width, .element_bytes = size_of(1, to_dtype).value});
  } else {
    kernels().convert(
        {.x = from, .y = to, .from = from_dtype, .to = to_dtype, .tokens = rows, .width = width});
  }
}

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
  std::vector<char> x_copy, y_copy;  ///< inputs and outputs that do not lie in memory as oneDNN wants them

  /// x as oneDNN wants it: [matrices, rows, in] without gaps, in the dtype that is multiplied.
  const void* dense_input(const PackedWeights::Impl& w, const ProductInput& x);
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
  return Bytes{
      static_cast<std::int64_t>(impl_->packed.get_desc().get_size() + impl_->scales.size() * sizeof(float))};
}

OneDnn::OneDnn() : impl_(std::make_unique<Impl>()) {}
OneDnn::~OneDnn() = default;

std::string OneDnn::version() {
  const dnnl_version_t* v = dnnl_version();
  return "oneDNN " + std::to_string(v->major) + "." + std::to_string(v->minor) + "." +
         std::to_string(v->patch);
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
      kernels().convert(
          {.x = {s.values, s.in}, .y = {wide.data(), s.in}, .tokens = s.matrices * s.out, .width = s.in});
      values = wide.data();
    }
    // The layout is the same for all numbers of rows (measured with 2.6 and 3.1: [in/16][out/64] blocks).
    constexpr std::int64_t typical_rows = 16;
    const bool one = s.matrices == 1;
    const memory::dims shape = one ? memory::dims{s.in, s.out} : memory::dims{s.matrices, s.in, s.out};
    const memory::desc any{shape, type_of(stored), memory::format_tag::any};
    const DType y = stored == DType::int8 ? DType::i32 : DType::f32;
    const auto pd = describe(impl_->engine, dense(s.matrices, typical_rows, s.in, stored), any, nullptr,
                             dense(s.matrices, typical_rows, s.out, y));
    const memory::dims transposed = one ? memory::dims{1, s.in} : memory::dims{s.out * s.in, 1, s.in};
    memory plain{{shape, type_of(stored), transposed}, impl_->engine, const_cast<void*>(values)};
    auto impl = std::make_unique<PackedWeights::Impl>(PackedWeights::Impl{
        s.matrices, s.out, s.in, s.dtype, stored, {pd.weights_desc(), impl_->engine}, {}});
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
  const auto x = dense(key.matrices, key.rows, key.in, key.x);
  const auto y = dense(key.matrices, key.rows, key.out, key.y);
  const auto b = dense(key.matrices, 1, key.out, DType::f32);
  const auto pd = describe(engine, x, w.packed.get_desc(), key.bias ? &b : nullptr, y);
  Product p{dnnl::matmul(pd), {{DNNL_ARG_SRC, {x, engine, nullptr}}, {DNNL_ARG_DST, {y, engine, nullptr}}}};
  if (key.bias) p.arguments.emplace(DNNL_ARG_BIAS, memory{b, engine, nullptr});
  return products.emplace(key, std::move(p)).first->second;
}

const void* OneDnn::Impl::dense_input(const PackedWeights::Impl& w, const ProductInput& x) {
  const bool widens = x.dtype != w.stored, in_place = x.rows == 1 || (w.matrices == 1 && x.stride == w.in);
  if (in_place && !widens) return x.data;
  x_copy.resize(static_cast<std::size_t>(size_of(w.matrices * x.rows * w.in, w.stored).value));
  for (std::int64_t m = 0; m < w.matrices; ++m) {
    const In from{at(x.data, x.dtype, m * w.in), x.stride};
    void* to = at(x_copy.data(), w.stored, m * x.rows * w.in);
    move_rows(from, x.dtype, {to, w.in}, w.stored, x.rows, w.in);
  }
  return x_copy.data();
}

void OneDnn::multiply(const PackedWeights& weights, const ProductInput& x, const ProductOutput& y,
                      const float* bias) {
  const PackedWeights::Impl& w = *weights.impl_;
  if (x.rows == 0) return;
  require(x.dtype == w.stored || (x.dtype == DType::bf16 && w.stored == DType::f32),
          "a product's input has the dtype of its weights");
  const bool integer = w.stored == DType::int8;
  const DType written = integer ? DType::i32 : w.stored == DType::f32 ? DType::f32 : y.dtype;
  const bool in_place = written == y.dtype && (x.rows == 1 || (w.matrices == 1 && y.stride == w.out));
  void* target = y.data;
  if (!in_place) {
    impl_->y_copy.resize(static_cast<std::size_t>(size_of(w.matrices * x.rows * w.out, written).value));
    target = impl_->y_copy.data();
  }
  Product& p =
      impl_->product(w, {w.matrices, w.out, w.in, x.rows, w.stored, written, !integer && bias != nullptr});
  p.arguments.at(DNNL_ARG_SRC).set_data_handle(const_cast<void*>(impl_->dense_input(w, x)));
  p.arguments.at(DNNL_ARG_DST).set_data_handle(target);
  if (!integer && bias != nullptr) p.arguments.at(DNNL_ARG_BIAS).set_data_handle(const_cast<float*>(bias));
  p.arguments.insert_or_assign(DNNL_ARG_WEIGHTS, w.packed);
  p.primitive.execute(impl_->stream, p.arguments);
  impl_->stream.wait();

  for (std::int64_t m = 0; !in_place && m < w.matrices; ++m) {
    const void* from = at(target, written, m * x.rows * w.out);
    const Out to{at(y.data, y.dtype, m * w.out), y.stride};
    if (integer) {
      kernels().dequantize({.sums = static_cast<const std::int32_t*>(from),
                            .row_scales = x.scales,
                            .column_scales = w.scales.data() + m * w.out,
                            .bias = bias == nullptr ? nullptr : bias + m * w.out,
                            .y = to,
                            .dtype = y.dtype,
                            .tokens = x.rows,
                            .width = w.out});
    } else {
      move_rows({from, w.out}, written, to, y.dtype, x.rows, w.out);
    }
  }
}

}  // namespace inferometer::cpu
