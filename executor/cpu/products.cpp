#include "executor/cpu/products.hpp"

#include <algorithm>

#include "executor/cpu/kernels.hpp"

namespace inferometer::cpu {
namespace {

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

/// Rows of an int8 product at a time: their sums, written by one kernel and read by the next, stay in a cache
/// (4 MB), and 64 rows are enough to be bound by arithmetic rather than by reading the weights again.
/// Measured with 2 cores and 32 MB of L3: 512 rows to 49152 columns 670 GOP/s, 270 without.
std::int64_t integer_rows_at_once(std::int64_t columns) {
  constexpr std::int64_t sums = 1 << 20, least = 64;
  return std::max(least, sums / columns / least * least);
}

std::size_t bytes_of(std::int64_t elements, DType dtype) {
  return static_cast<std::size_t>(size_of(elements, dtype).value);
}

/// Grows only: what a vector gains it fills with zeros, which products of changing widths would pay for each
/// time.
void make_room(std::vector<char>& buffer, std::size_t bytes) {
  if (buffer.size() < bytes) buffer.resize(bytes);
}

}  // namespace

Bytes PackedWeights::bytes() const {
  return Bytes{static_cast<std::int64_t>(plain.size() + scales.size() * sizeof(float))} +
         (onednn ? onednn->bytes() : Bytes{0});
}

Products::Products()
    : tile_rows_(OneDnn::tile_rows()),
      native_bf16_(onednn_.native(DType::bf16)),
      native_int8_(onednn_.native(DType::int8)) {}

bool Products::native(DType dtype) const {
  return dtype == DType::f32 || dtype == DType::int8 || (dtype == DType::bf16 && native_bf16_);
}

Result<PackedWeights> Products::pack(const WeightSource& s) {
  if (s.dtype != DType::f32 && s.dtype != DType::bf16 && s.dtype != DType::int8) {
    return failure("weights in " + std::string{name(s.dtype)} + " are not multiplied on the CPU");
  }
  PackedWeights w{};
  w.matrices = s.matrices, w.out = s.out, w.in = s.in;
  w.dtype = w.stored = s.dtype;
  if (s.scales != nullptr) w.scales.assign(s.scales, s.scales + s.matrices * s.out);
  if (s.dtype == DType::int8 && !native_int8_) {
    const auto* values = static_cast<const std::int8_t*>(s.values);
    w.plain.assign(values, values + s.matrices * s.out * s.in);
    return w;
  }
  const void* values = s.values;
  std::vector<float> wide;
  if (!native(s.dtype)) {
    w.stored = DType::f32;
    wide.resize(static_cast<std::size_t>(s.matrices * s.out * s.in));
    move_rows({s.values, s.in}, s.dtype, {wide.data(), s.in}, w.stored, s.matrices * s.out, s.in);
    values = wide.data();
  }
  auto packed = onednn_.pack(values, w.stored, s.matrices, s.out, s.in);
  if (!packed) return failure(packed.error());
  w.onednn.emplace(std::move(*packed));
  return w;
}

/// The rows that a product of `rows` is multiplied with. oneDNN blocks rows by their divisors: on AMX 53, 59
/// or 118 take up to 3.5 times as long as 64 or 128, up to 48 rows and multiples of 16 do not (measured
/// with 3.1, 16 threads). A tile has 16 rows anyway: the rows that fill the last one cost next to nothing.
std::int64_t Products::filled_rows(const PackedWeights& w, std::int64_t rows) const {
  constexpr std::int64_t smooth = 48;
  if (!w.onednn || w.stored == DType::f32 || rows <= smooth) return rows;
  return (rows + tile_rows_ - 1) / tile_rows_ * tile_rows_;
}

/// x as it is multiplied: [matrices, rows, in] without gaps, in the dtype of the stored weights. Rows beyond
/// those of x hold anything: each row of the product is of its own row of x.
const void* Products::dense_input(const PackedWeights& w, const ProductInput& x, std::int64_t rows) {
  const std::int64_t apart = x.matrix_stride == 0 ? w.in : x.matrix_stride;
  const bool dense = (rows == 1 && apart == w.in) || (w.matrices == 1 && x.stride == w.in);
  if (dense && rows == x.rows && x.dtype == w.stored) return x.data;
  make_room(x_copy_, bytes_of(w.matrices * rows * w.in, w.stored));
  for (std::int64_t m = 0; m < w.matrices; ++m) {
    move_rows({at(x.data, x.dtype, m * apart), x.stride}, x.dtype,
              {at(x_copy_.data(), w.stored, m * rows * w.in), w.in}, w.stored, x.rows, w.in);
  }
  return x_copy_.data();
}

void Products::multiply_dense(const PackedWeights& w, const void* x, std::int64_t rows, void* y,
                              DType y_dtype, const float* bias) {
  if (w.onednn) return onednn_.multiply(*w.onednn, x, rows, y, y_dtype, bias);
  for (std::int64_t m = 0; m < w.matrices; ++m) {
    kernels().integer_product({.x = static_cast<const std::int8_t*>(x) + m * rows * w.in,
                               .w = w.plain.data() + m * w.out * w.in,
                               .sums = static_cast<std::int32_t*>(y) + m * rows * w.out,
                               .tokens = rows,
                               .in = w.in,
                               .out = w.out});
  }
}

void Products::multiply(const PackedWeights& w, const ProductInput& x, const ProductOutput& y,
                        const float* bias) {
  if (x.rows == 0) return;
  require(x.dtype == w.stored || (x.dtype == DType::bf16 && w.stored == DType::f32),
          "a product's input has the dtype of its weights");
  const bool integer = w.stored == DType::int8;
  const std::int64_t at_once = integer_rows_at_once(w.matrices * w.out);
  if (integer && x.rows > at_once) {
    for (std::int64_t r = 0; r < x.rows; r += at_once) {
      multiply(w,
               {at(x.data, x.dtype, r * x.stride), x.dtype, std::min(at_once, x.rows - r), x.stride,
                x.scales + r, x.matrix_stride},
               {at(y.data, y.dtype, r * y.stride), y.dtype, y.stride, y.matrix_stride}, bias);
    }
    return;
  }
  const DType written = integer ? DType::i32 : w.stored == DType::f32 ? DType::f32 : y.dtype;
  const std::int64_t apart = y.matrix_stride == 0 ? w.out : y.matrix_stride;
  const std::int64_t rows = filled_rows(w, x.rows);
  const bool dense = (rows == 1 && apart == w.out) || (w.matrices == 1 && y.stride == w.out);
  const bool in_place = written == y.dtype && dense && rows == x.rows;
  void* target = y.data;
  if (!in_place) {
    make_room(y_copy_, bytes_of(w.matrices * rows * w.out, written));
    target = y_copy_.data();
  }
  multiply_dense(w, dense_input(w, x, rows), rows, target, written, integer ? nullptr : bias);
  if (in_place) return;
  for (std::int64_t m = 0; m < w.matrices; ++m) {
    const void* from = at(target, written, m * rows * w.out);
    const Out to{at(y.data, y.dtype, m * apart), y.stride};
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
