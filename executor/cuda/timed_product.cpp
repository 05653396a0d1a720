#include "executor/cuda/timed_product.hpp"

#include <algorithm>

#include "executor/cuda/kernels/delay.hpp"
#include "executor/cuda/kernels/kernels.hpp"
#include "executor/cuda/kernels/packing.hpp"
#include "executor/cuda/product_choice.hpp"
#include "executor/cuda/tensor_map.hpp"

namespace inferometer::cuda {
namespace {

/// So that what is read is twice the cache before it is read again.
std::int64_t copies_of(const ProductShape& s, const Gpu& gpu) {
  int cache = 0;
  cudaDeviceGetAttribute(&cache, cudaDevAttrL2CacheSize, gpu.index);
  const std::int64_t bytes = size_of(s.in * s.out, s.w).value;
  return std::max<std::int64_t>(1, (2 * std::int64_t{cache} + bytes - 1) / bytes);
}

}  // namespace

Result<TimedProduct> TimedProduct::of(const ProductShape& shape, const Gpu& gpu, bool overlap) {
  TimedProduct t;
  Result<CublasLt> library = CublasLt::open();
  Result<Stream> stream = make_stream();
  Result<Event> start = make_event(), end = make_event();
  if (!library) return failure(library.error());
  if (!stream) return failure(stream.error());
  if (!start || !end) return failure(start ? end.error() : start.error());
  t.library_ = std::move(*library);
  t.stream_ = std::move(*stream);
  t.start_ = std::move(*start);
  t.end_ = std::move(*end);
  t.queue_ = {.stream = t.stream_.get(),
              .processors = gpu.processors,
              .hopper = gpu.hopper(),
              .overlap = overlap && gpu.hopper()};
  if (const Done done = t.allocate(shape, copies_of(shape, gpu)); !done) return failure(done.error());
  t.fill(shape);
  if (const Done done = checked(cudaStreamSynchronize(t.stream_.get()), "making operands"); !done)
    return failure(done.error());
  return t;
}

Done TimedProduct::allocate(const ProductShape& s, std::int64_t copies) {
  Bytes total{0};
  const auto place = [&](Bytes size) { return place_part(total, size).value; };
  const bool fp8 = s.w == DType::fp8;
  const std::int64_t x_scale = place(Bytes{4}), w_scale = place(Bytes{4}),
                     x = place(size_of(s.tokens * s.x_stride, s.x)),
                     y = place(size_of(s.tokens * s.y_stride, s.y));
  std::vector<std::int64_t> w;
  for (std::int64_t i = 0; i < copies; ++i) w.push_back(place(size_of(s.in * s.out, s.w)));
  const std::int64_t values = fp8 ? std::max(s.in * s.out, s.tokens * s.x_stride) : 0;
  const std::int64_t halves = place(size_of(values, DType::bf16));
  Result<DeviceBuffer> memory = DeviceBuffer::of(total);
  if (!memory) return failure(memory.error());
  memory_ = std::move(*memory);
  char* start = memory_.data();
  x_scale_ = reinterpret_cast<float*>(start + x_scale);
  w_scale_ = reinterpret_cast<float*>(start + w_scale);
  x_ = start + x;
  halves_ = start + halves;
  for (const std::int64_t at : w) copies_.push_back(start + at);
  product_ = {.x = x_,
              .y = start + y,
              .tokens = s.tokens,
              .in = s.in,
              .out = s.out,
              .x_stride = s.x_stride,
              .y_stride = s.y_stride,
              .y_f32 = s.y == DType::f32,
              .x_scale = fp8 ? x_scale_ : nullptr,
              .w_scale = fp8 ? w_scale_ : nullptr};
  return std::monostate{};
}

void TimedProduct::fill(const ProductShape& s) {
  std::uint64_t key = 0;
  const auto make = [&](char* to, std::int64_t rows, std::int64_t columns, float* scale) {
    const bool fp8 = s.w == DType::fp8;
    fill_seeded({.out = fp8 ? halves_ : to, .count = rows, .columns = columns, .key = ++key}, queue_);
    if (!fp8) return;
    quantize_fp8_weight({.values = reinterpret_cast<const Bf16*>(halves_),
                         .q = reinterpret_cast<std::uint8_t*>(to),
                         .scale = scale,
                         .count = rows * columns},
                        queue_);
  };
  make(x_, s.tokens, s.x_stride, x_scale_);
  for (char* copy : copies_) make(copy, s.out, s.in, w_scale_);
}

Done TimedProduct::launch(const ProductChoice& choice) {
  product_.w = copies_[next_];
  next_ = (next_ + 1) % copies_.size();
  return launch_product(product_, choice, library_, queue_);
}

Result<Seconds> TimedProduct::time(const ProductChoice& choice, int launches) {
  // The host is ahead of the device, so that no launch waits for it.
  delay(20'000 + 20'000 * launches, stream_.get());
  cudaEventRecord(start_.get(), stream_.get());
  for (int i = 0; i < launches; ++i) {
    if (const Done done = launch(choice); !done) return failure(done.error());
  }
  cudaEventRecord(end_.get(), stream_.get());
  if (const Done done = checked(cudaGetLastError(), "launching a product"); !done)
    return failure(done.error());
  if (const Done done = checked(cudaStreamSynchronize(stream_.get()), "timing a product"); !done)
    return failure(done.error());
  return Seconds{between(start_.get(), end_.get())} / launches;
}

Result<std::vector<LibraryAlgorithm>> TimedProduct::algorithms(int most) const {
  return library_.algorithms(product_, most);
}

}  // namespace inferometer::cuda
