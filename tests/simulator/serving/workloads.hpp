#pragma once
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "simulator/serving/simulate.hpp"

namespace inferometer::serving_test {

/// A step takes 1 us, and so many ns a new token and a token that is attended.
struct LinearTimer final : BatchTimer {
  std::int64_t per_token = 100, per_key = 1;
  std::int64_t calls = 0;
  explicit LinearTimer(std::int64_t token = 100, std::int64_t key = 1) : per_token(token), per_key(key) {}
  Nanoseconds of(const StepTotals& t) const {
    return Nanoseconds{1000 + per_token * t.tokens() +
                       per_key * (t.attended.single.all + t.attended.prompts.all)};
  }
  Result<Nanoseconds> time(const Batch& batch) override {
    ++calls;
    return of(batch.totals);
  }
};

/// Requests of random lengths and arrivals; a third begins with one of a few shared prompts.
inline Traffic random_traffic(std::uint64_t seed, std::int32_t requests, std::int64_t mean_gap_ns) {
  std::mt19937_64 random(seed);
  const auto upto = [&](std::int64_t n) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n));
  };
  Traffic traffic;
  traffic.block_tokens = 32;
  Nanoseconds now{0};
  for (std::int32_t i = 0; i < requests; ++i) {
    now += Nanoseconds{upto(2 * mean_gap_ns + 1)};
    Request r{.arrival = now,
              .prompt_tokens = static_cast<std::int32_t>(1 + upto(300)),
              .output_tokens = static_cast<std::int32_t>(1 + upto(100)),
              .first_block = static_cast<std::int64_t>(traffic.blocks.size())};
    const bool shares = upto(3) == 0;
    const std::uint64_t base =
        shares ? 1000 * static_cast<std::uint64_t>(upto(4)) : 1'000'000U * static_cast<std::uint64_t>(i + 1);
    r.blocks = r.prompt_tokens / 32;
    for (std::int32_t b = 0; b < r.blocks; ++b)
      traffic.blocks.push_back(base + static_cast<std::uint64_t>(b));
    traffic.requests.push_back(r);
  }
  return traffic;
}

inline ServerSettings server(BatchingPolicy policy, std::int64_t blocks = 200) {
  ServerSettings s;
  s.instance.serving.policy = policy;
  s.instance.serving.max_num_seqs = 24;
  s.instance.serving.max_num_batched_tokens = 128;
  s.instance.serving.min_decodes = 6;
  s.instance.kv_blocks = blocks;
  s.instance.block_tokens = 16;
  s.instance.block = Bytes{1000};
  s.instance.host_link = BytesPerSecond{1e9};
  return s;
}

inline bool same(const RequestRecord& a, const RequestRecord& b) {
  return a.arrival == b.arrival && a.admitted == b.admitted && a.first_token == b.first_token &&
         a.last_token == b.last_token && a.preemptions == b.preemptions && a.rejected == b.rejected;
}

/// Time that all spans of a kind cover.
inline Nanoseconds covered(const PoolRun& run, ServedSpan::Kind kind) {
  Nanoseconds sum{0};
  for (const ServedSpan& span : run.spans.spans()) {
    EXPECT_LE(span.start, span.end);
    if (span.kind == kind) sum += span.end - span.start;
  }
  return sum;
}

/// Every policy with every way to keep the cache.
inline std::vector<ServerSettings> all_settings() {
  std::vector<ServerSettings> all;
  for (const auto& [policy, text] : Names<BatchingPolicy>::list) {
    for (const auto& [allocation, name] : Names<KvAllocation>::list) {
      for (const bool caches : {false, true}) {
        for (const Preemption preemption : {Preemption::recompute, Preemption::swap}) {
          ServerSettings s = server(policy, 60);
          s.instance.serving.allocation = allocation;
          s.instance.serving.preemption = preemption;
          s.instance.serving.prefix_caching = caches;
          s.instance.serving.prediction_error_percent = 40;
          s.instance.serving.watermark_percent = 2;
          all.push_back(s);
        }
      }
    }
  }
  return all;
}

inline std::string named(const ServerSettings& s) {
  return std::string{name(s.instance.serving.policy)} + " " +
         std::string{name(s.instance.serving.allocation)} + " " +
         std::string{name(s.instance.serving.preemption)} +
         (s.instance.serving.prefix_caching ? " caching" : "");
}

/// Every request ended once or was rejected, and each token was made once.
inline void expect_conserved(const ServingRun& run, const Traffic& traffic, const std::string& what) {
  std::int64_t outputs = 0, prompts = 0;
  for (std::size_t i = 0; i < traffic.requests.size(); ++i) {
    const RequestRecord& r = run.requests[i];
    const Request& asked = traffic.requests[i];
    ASSERT_EQ(r.completed(), !r.rejected) << what;
    if (r.rejected) continue;
    outputs += asked.output_tokens;
    prompts += asked.prompt_tokens;
    EXPECT_LE(r.arrival, r.admitted) << what;
    EXPECT_LT(r.admitted, r.first_token) << what;
    EXPECT_LE(r.first_token, r.last_token) << what;
  }
  EXPECT_EQ(run.output_tokens, outputs) << what;
  EXPECT_GE(run.prompt_tokens + run.prefix_hit_tokens, prompts) << what;
  if (run.preemptions == 0) {
    EXPECT_EQ(run.prompt_tokens + run.prefix_hit_tokens, prompts) << what;
  }
  EXPECT_LE(run.kv_peak, run.kv_blocks) << what;
}

}  // namespace inferometer::serving_test
