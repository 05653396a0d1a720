#include "executor/cpu/reading.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <span>
#include <utility>
#include <vector>

#include "executor/cpu/host_device.hpp"
#include "model/nearest_rank.hpp"

namespace inferometer::cpu {
namespace {

using Clock = std::chrono::steady_clock;
using Piece = std::array<std::uint64_t, 16>;  ///< as many sums do not wait for each other
using Pieces = std::span<const Piece>;

constexpr Bytes least_stream{256 << 20}, most_stream{std::int64_t{4} << 30}, look{128 << 20};

std::int64_t pieces_of(Bytes bytes) { return bytes.value / static_cast<std::int64_t>(sizeof(Piece)); }

/// Pages lie where the threads that read them touched them first: default initialisation.
std::unique_ptr<Piece[]> filled(std::int64_t count, int threads) {
  std::unique_ptr<Piece[]> all(new Piece[static_cast<std::size_t>(count)]);
  Piece* const data = all.get();
#pragma omp parallel for num_threads(threads) schedule(static)
  for (std::int64_t i = 0; i < count; ++i) data[i].fill(static_cast<std::uint64_t>(i));
  return all;
}

/// returns  seconds a byte
double read(Pieces all, int threads, int passes = 1) {
  const auto count = static_cast<std::int64_t>(all.size());
  const Piece* const data = all.data();
  std::uint64_t sum = 0;
  const auto start = Clock::now();
#pragma omp parallel num_threads(threads) reduction(+ : sum)
  {
    Piece part{};
    for (int pass = 0; pass < passes; ++pass) {
#pragma omp for schedule(static)
      for (std::int64_t i = 0; i < count; ++i) {
#pragma omp simd
        for (std::size_t j = 0; j < part.size(); ++j) part[j] += data[i][j];
      }
    }
    for (const std::uint64_t p : part) sum += p;
  }
  asm volatile("" : : "r"(sum));
  return Seconds{Clock::now() - start}.count() / (static_cast<double>(all.size_bytes()) * passes);
}

}  // namespace

ReadRates rates_of(const WideStreams& s, double cache_time) {
  // of a stream as wide as the cache
  const double found = std::max(0.0, s.wide_time - s.narrow_time) / (1 / s.narrow - 1 / s.wide);
  // Where nothing is retained the wide stream is all of memory; where all of a cache is, its share is the
  // cache's.
  const double fastest = s.wide_time, slowest = (s.wide_time - cache_time / s.wide) / (1 - 1 / s.wide);
  const bool tells = s.narrow > 1 && s.wide > s.narrow && cache_time < 0.8 * s.wide_time;
  const double memory_time = tells ? std::clamp(s.wide_time + found / s.wide, fastest, slowest) : fastest;
  const double retention = tells ? (memory_time - s.wide_time) * s.wide / (memory_time - cache_time) : 0;
  return {BytesPerSecond{1 / memory_time}, BytesPerSecond{1 / cache_time}, retention};
}

ReadRates read_rates(Bytes cache, int threads) {
  constexpr int passes = 50;
  constexpr std::size_t most_rounds = 31, fewest_rounds = 5;
  constexpr Seconds enough{1.5};
  const Bytes wide = std::min(
                  {std::max(12 * cache, least_stream), most_stream, Bytes{available_memory().value / 4}}),
              narrow = std::min(3 * cache, Bytes{wide.value / 2});
  const std::int64_t count = pieces_of(wide), fewer = pieces_of(narrow),
                     few = pieces_of(Bytes{cache.value / 4});
  const auto wide_data = filled(count, threads), narrow_data = filled(fewer, threads),
             cached_data = filled(few, threads);
  const Pieces wide_stream{wide_data.get(), static_cast<std::size_t>(count)},
      narrow_stream{narrow_data.get(), static_cast<std::size_t>(fewer)},
      cached{cached_data.get(), static_cast<std::size_t>(few)};
  std::vector<double> of_wide, of_narrow, of_cached;
  const auto start = Clock::now();
  read(wide_stream, threads);  // what was written last leaves the cache
  while (of_wide.size() < fewest_rounds || (of_wide.size() < most_rounds && Clock::now() - start < enough)) {
    of_wide.push_back(read(wide_stream, threads));
    read(narrow_stream, threads);
    of_narrow.push_back(read(narrow_stream, threads));
  }
  for (std::size_t run = 0; run < fewest_rounds; ++run) of_cached.push_back(read(cached, threads, passes));
  const auto times_cache = [&](Bytes b) {
    return static_cast<double>(b.value) / static_cast<double>(cache.value);
  };
  return rates_of({.narrow_time = nearest_rank(of_narrow, 0.5),
                   .narrow = times_cache(narrow),
                   .wide_time = nearest_rank(of_wide, 0.5),
                   .wide = times_cache(wide)},
                  nearest_rank(of_cached, 0.5));
}

/// Windows of `look` that are read in turns: a cache keeps little of one until it is read again.
struct MemoryProbe::Buffer {
  std::vector<std::unique_ptr<Piece[]>> data;
  std::size_t next = 0;

  Buffer(Bytes cache, int threads) {
    const Bytes all =
        std::min({std::max(4 * cache, 2 * look), most_stream, Bytes{available_memory().value / 4}});
    while (data.empty() || static_cast<std::int64_t>(data.size()) * look < all)
      data.push_back(filled(pieces_of(look), threads));
    for (std::size_t i = 0; i < data.size(); ++i) rate(threads);  // what was written leaves the cache
  }
  BytesPerSecond rate(int threads) {
    const auto& window = data[next++ % data.size()];
    return BytesPerSecond{1 / read({window.get(), static_cast<std::size_t>(pieces_of(look))}, threads)};
  }
};

MemoryProbe::MemoryProbe(Bytes cache, int threads) : cache_(cache), threads_(threads) {}
MemoryProbe::~MemoryProbe() = default;

void MemoryProbe::begin() {
  looking_ = true;
  since_look_ = weight_ = Seconds{0};
  weighted_ = Bytes{0};
  looks_ = 0;
}

void MemoryProbe::after_step(Seconds took) {
  constexpr Seconds between{0.2};
  since_look_ += took;
  if (!looking_ || since_look_ < between) return;
  if (!buffer_) buffer_ = std::make_unique<Buffer>(cache_, threads_);
  const double bytes = buffer_->rate(threads_).value * since_look_.count();
  weighted_ += Bytes{static_cast<std::int64_t>(bytes)};
  weight_ += since_look_;
  since_look_ = Seconds{0};
  ++looks_;
}

std::optional<MemoryReads> MemoryProbe::end() {
  if (!std::exchange(looking_, false) || looks_ == 0) return std::nullopt;
  buffer_.reset();
  return MemoryReads{BytesPerSecond{static_cast<double>(weighted_.value) / weight_.count()}, looks_};
}

}  // namespace inferometer::cpu
