#include "simulator/serving/reused_timer.hpp"

#include <algorithm>
#include <bit>

namespace inferometer {
namespace {

/// Sixteen buckets for each doubling.
std::int64_t bucket_of(std::int64_t n) {
  constexpr int bits = 4;
  if (n < (1 << bits)) return n;
  const int shift = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(n))) - 1 - bits;
  return (static_cast<std::int64_t>(shift) << bits) + (n >> shift);
}

}  // namespace

ReusedTimer::Kind ReusedTimer::kind_of(const StepTotals& totals) {
  return {totals.attended.prompts.count, totals.tokens(), totals.logit_rows,
          bucket_of(totals.attended.single.all), bucket_of(totals.attended.prompts.all)};
}

Result<Nanoseconds> ReusedTimer::time(const Batch& batch) {
  const Kind kind = kind_of(batch.totals);
  if (const auto known = known_.find(kind); known != known_.end()) return known->second;
  std::array<Nanoseconds, 3> times{};
  if (const Result<Nanoseconds> warm = executes_.time(batch); !warm) return warm;
  for (Nanoseconds& t : times) {
    const Result<Nanoseconds> time = executes_.time(batch);
    if (!time) return time;
    t = *time;
  }
  std::sort(times.begin(), times.end());
  steps_.push_back({batch.totals, times[1]});
  return known_[kind] = times[1];
}

}  // namespace inferometer
