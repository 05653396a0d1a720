#include "executor/cpu/reading.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <span>
#include <utility>
#include <vector>

#include "model/nearest_rank.hpp"

namespace inferometer::cpu {
namespace {

using Clock = std::chrono::steady_clock;
using Words = std::span<const std::uint64_t>;

constexpr std::int64_t word = sizeof(std::uint64_t), least_stream = 256 << 20, look = 128 << 20;

std::size_t words_of(std::int64_t bytes) { return static_cast<std::size_t>(bytes / word); }

/// Default initialisation: the pages are first touched by the threads that use them.
std::unique_ptr<std::uint64_t[]> filled(std::size_t count, int threads) {
  std::unique_ptr<std::uint64_t[]> all(new std::uint64_t[count]);
  std::uint64_t* const data = all.get();
#pragma omp parallel for num_threads(threads) schedule(static)
  for (std::size_t i = 0; i < count; ++i) data[i] = i;
  return all;
}

Seconds read(Words all, int threads) {
  constexpr std::size_t lanes = 16;  // sums that do not wait for each other
  const auto pieces = static_cast<std::int64_t>(all.size() / lanes);
  std::uint64_t sum = 0;
  const auto start = Clock::now();
#pragma omp parallel num_threads(threads) reduction(+ : sum)
  {
    std::array<std::uint64_t, lanes> part{};
#pragma omp for schedule(static)
    for (std::int64_t i = 0; i < pieces; ++i) {
      const std::uint64_t* piece = all.data() + static_cast<std::size_t>(i) * lanes;
#pragma omp simd
      for (std::size_t j = 0; j < lanes; ++j) part[j] += piece[j];
    }
    for (const std::uint64_t p : part) sum += p;
  }
  asm volatile("" : : "r"(sum));
  return Clock::now() - start;
}

double seconds_per_byte(Words all, int threads) {
  return read(all, threads).count() / static_cast<double>(all.size_bytes());
}

}  // namespace

ReadRates read_rates(std::int64_t cache, int threads) {
  constexpr int rounds = 31, passes = 50;
  constexpr std::int64_t narrow = 3, wide = 12;
  const std::size_t count = words_of(std::max(wide * cache, least_stream));
  const auto words = filled(count, threads);
  const Words wide_stream{words.get(), count}, narrow_stream{words.get(), words_of(narrow * cache)},
      cached{words.get(), words_of(cache / 4)};
  std::vector<double> of_wide, of_narrow, in_cache;  // s/B
  for (int round = 0; round < rounds; ++round) {
    of_wide.push_back(seconds_per_byte(wide_stream, threads));
    read(narrow_stream, threads);
    of_narrow.push_back(seconds_per_byte(narrow_stream, threads));
  }
  for (int pass = 0; pass < passes; ++pass) in_cache.push_back(seconds_per_byte(cached, threads));
  const double slow = nearest_rank(of_wide, 0.5), fast = nearest_rank(of_narrow, 0.5),
               cache_time = nearest_rank(in_cache, 0.5);
  // of a stream as wide as the cache
  const double found = std::max(0.0, slow - fast) / (1.0 / narrow - 1.0 / wide);
  const double memory_time = slow + found / wide;
  return {BytesPerSecond{1 / memory_time}, BytesPerSecond{1 / cache_time},
          std::clamp(found / std::max(memory_time - cache_time, 1e-3 * memory_time), 0.0, 1.0)};
}

MemoryProbe::MemoryProbe(std::int64_t cache, int threads)
    : count_(words_of(std::max(4 * cache, look))), threads_(threads) {}
MemoryProbe::~MemoryProbe() = default;

void MemoryProbe::after_step(Seconds took) {
  constexpr Seconds between{0.2};
  since_look_ += took;
  if (since_look_ < between) return;
  since_look_ = Seconds{0};
  if (!words_) words_ = filled(count_, threads_);
  const std::size_t count = words_of(look);
  if (at_ + count > count_) at_ = 0;
  reading_ += read({words_.get() + at_, count}, threads_);
  read_ += Bytes{look};
  at_ += count;
}

std::optional<BytesPerSecond> MemoryProbe::rate() {
  const Bytes bytes = std::exchange(read_, Bytes{0});
  const Seconds seconds = std::exchange(reading_, Seconds{0});
  if (bytes == Bytes{0}) return std::nullopt;
  return BytesPerSecond{static_cast<double>(bytes.value) / seconds.count()};
}

}  // namespace inferometer::cpu
