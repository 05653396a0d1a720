#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "model/serving.hpp"
#include "model/units.hpp"
#include "simulator/serving/histogram.hpp"
#include "simulator/serving/spans.hpp"

namespace inferometer {

/// What became of one request. Times are since the start of the run and end with the step that made the
/// token: the engine's boundary, without the network to a client.
struct RequestRecord {
  static constexpr Nanoseconds never{-1};
  Nanoseconds arrival{never}, admitted{never}, first_token{never}, last_token{never};
  std::int32_t preemptions = 0;
  bool rejected = false;  ///< longer than the limit, the whole cache, or a step where prompts are taken whole

  bool completed() const { return last_token != never; }
};

/// Batch size, queue and cache of all instances over time, in equal intervals that double as a run grows: a
/// step counts in each by the part of it that lies there, its tokens where it began.
class LoadTimeline {
 public:
  /// Sums over steps, each weighted by its seconds.
  struct Sample {
    double seconds = 0, running = 0, waiting = 0, kv_used = 0;
    std::int64_t output_tokens = 0;  ///< not weighted

    /// Of an instance at work; nothing where none was. Seconds and tokens stay sums.
    Sample mean() const;
  };
  static constexpr std::size_t most = 512;
  void add(Nanoseconds start, Nanoseconds end, const Sample& step);
  void add(const LoadTimeline& other);
  Nanoseconds interval() const { return interval_; }
  const std::vector<Sample>& samples() const { return samples_; }

 private:
  /// The interval that `time` lies in, with room for it.
  std::size_t interval_of(Nanoseconds time);

  Nanoseconds interval_{1'000'000};
  std::vector<Sample> samples_;
};

/// What went over the links between devices and host memory, of each device of an instance.
struct SwapRun {
  Bytes out{0}, in{0};
  Nanoseconds time{0};  ///< of all instances; steps wait for it
};

/// What the instances of a pool did.
struct PoolRun {
  std::string name, device;  ///< as the pool's settings say
  PoolRole role = PoolRole::both;
  DurationHistogram itl;  ///< between two tokens of a request, over all tokens
  LoadTimeline load;
  std::int64_t steps = 0, jumped_steps = 0;
  std::int64_t prompt_tokens = 0;      ///< computed, again after preemption included
  std::int64_t prefix_hit_tokens = 0;  ///< found in the cache instead
  std::int64_t output_tokens = 0;
  std::int64_t preemptions = 0;
  std::int64_t kv_blocks = 0;  ///< of one instance
  std::int64_t kv_peak = 0;    ///< blocks in use of one instance, at most
  Nanoseconds busy{0};         ///< of all instances together
  SwapRun swaps;
  /// Of the parts of a replica that wait for one another (stages of a pipeline, replicas of attention): their
  /// time while the replica had a step under way, and of that at work; none where it has one part.
  Nanoseconds parts_time{0}, parts_busy{0};
  Nanoseconds end{0};  ///< of the last step
  std::int64_t instances = 1;
  std::int64_t ranks = 1;  ///< replicas of attention in a replica: so many instances
  SpanLog<ServedSpan> spans;

  /// Both together, but for spans, which stay with their pools; blocks are those of the one whose cache was
  /// fuller.
  void add(const PoolRun& other);
};

/// What went from the instances that computed prompts to those that decode them.
struct KvTransfers {
  Bytes bytes{0};
  std::int64_t tokens_there = 0;  ///< of prompts, that the receiver had and that were not sent
  DurationHistogram time;         ///< from room at the receiver to the last byte there
  DurationHistogram delay;  ///< from the first token to the last byte there, or to room where none is sent
  SpanLog<SentCache> sent;
};

/// What a server did with its traffic: all of its pools together.
struct ServingRun : PoolRun {
  std::vector<RequestRecord> requests;
  std::vector<PoolRun> pools;  ///< where there are several
  KvTransfers transfers;
};

}  // namespace inferometer
