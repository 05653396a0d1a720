#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <queue>
#include <vector>

#include "model/serving.hpp"
#include "model/traffic.hpp"
#include "simulator/serving/batch_timer.hpp"
#include "simulator/serving/kv_pool.hpp"
#include "simulator/serving/policies.hpp"
#include "simulator/serving/replica.hpp"
#include "simulator/serving/run.hpp"

namespace inferometer {

/// What an instance of a model has and how it serves.
struct InstanceSettings {
  Serving serving;
  std::int64_t kv_blocks = 0;
  std::int64_t block_tokens = 16;
  Bytes block{0};               ///< of each device, all layers
  BytesPerSecond host_link{0};  ///< of each device, one way (preemption: swap)
  std::int32_t number = 0;      ///< in its pool
  std::int32_t part = 0;        ///< of a replica whose parts have caches and links of their own
  PoolRole role = PoolRole::both;
  std::uint64_t seed = 1;
};

/// One instance of a model: its queue, its KV cache and the sequences in it. A step costs O(sequences that
/// begin, end or take part with prompts): decoding sequences advance together by a counter, and their ends
/// and the blocks they need next are known ahead.
///
/// admitted      in order of arrival while all of a prompt's blocks are free, less the watermark; what was
///               preempted first. The first that does not fit keeps the others waiting.
/// preempted     the one admitted last, when a decoding sequence needs a block and none is free
/// swapping      over the link to host memory, one copy at a time; the step behind it waits
/// source        vLLM's scheduler of version 1 for the order of these and what may not follow a preemption
class Instance final : public Replica, private Batch {
 public:
  /// requests  the record of each request of the traffic; other instances write to theirs
  Instance(const InstanceSettings& settings, const Traffic& traffic, std::vector<RequestRecord>& requests,
           PoolRun& run);

  /// Another lane: an instance with the queue and the cache of this one. A sequence decodes in the lane that
  /// computed the end of its prompt; of a prompt, each lane may take the next chunk while those before it are
  /// under way in others.
  ///
  /// requires  role both; steps of all lanes to end in the order in which they were begun
  std::unique_ptr<Instance> another_lane();

  bool can_serve(std::int32_t request) const override;
  std::int64_t tokens_of(std::int32_t request) const override;
  bool enqueue(std::int32_t request, Nanoseconds now) override;
  Result<std::optional<Nanoseconds>> begin(Nanoseconds now, BatchTimer& timer) override;
  void finish(Nanoseconds end, BatchTimer& timer, std::vector<std::int32_t>& ended) override;
  Result<Jumped> jump(Nanoseconds now, Nanoseconds horizon, BatchTimer& timer) override;
  bool stepping() const override { return step_.has_value(); }
  std::vector<Instance*> instances() override { return {this}; }
  ReplicaLoad load(std::int32_t request, bool prefixes) const override;

  /// begin() in two halves. Chooses the batch of the next step; null where there is nothing to do.
  Batch* choose_batch(Nanoseconds now, BatchTimer& timer);
  /// Begins its step. returns when it ends, behind the swapping that it waits for
  Nanoseconds start(Nanoseconds now, Nanoseconds takes);

  // Role prefill: a sequence whose prompt is computed runs no more, and its blocks are held until they are
  // sent.
  /// A prompt whose last tokens the step that was begun last computes, and that others decode.
  struct Completing {
    std::int32_t request = 0;
    std::int64_t tokens = 0;  ///< that the step computes
  };
  const std::vector<Completing>& completing() const { return completing_; }
  /// The cache of a held sequence was sent.
  void release(std::int32_t request, BatchTimer& timer);

  // Role decode: sequences come with their cache. In the order in which they were expected each is given
  // blocks for its prompt, once nothing that was preempted waits, a place is left among max_num_seqs and the
  // blocks are free, less the watermark. Preempted, it is computed again here.
  void expect(std::int32_t request);
  struct Reserved {
    std::int32_t request = 0, sequence = 0;
    std::int64_t there = 0;  ///< leading tokens of the prompt that its prefix cache has
  };
  /// Room for the next one expected; nothing where there is none, or none is expected.
  std::optional<Reserved> reserve();
  /// The cache of a sequence that reserve() named is there: it decodes from the next step on.
  void receive(std::int32_t sequence);

  std::int64_t waiting() const { return static_cast<std::int64_t>(waiting_.size() + expected_.size()); }
  /// Whether nothing waits or runs, but for what is held or reserved: that gives its blocks back without a
  /// step of this instance.
  bool may_idle() const;
  /// Sequences that are given blocks for a cache that is on its way.
  std::int64_t reserved() const { return reserved_; }
  /// Sequences of all lanes.
  std::int64_t running() const;
  const KvPool& pool() const { return pool_; }

 private:
  struct Sequence {
    std::int32_t request = 0;
    std::int32_t lane = 0;                  ///< whose steps it takes part in
    std::int32_t before = -1, behind = -1;  ///< in order of admission
    enum class State : std::uint8_t {
      unused,
      waiting,
      swapped,
      prefilling,
      decoding,
      held,
      reserved
    } state = State::unused;
    std::int64_t target = 0;     ///< tokens that must be in the cache before the next one is made
    std::int64_t computed = 0;   ///< of them, while prefilling, those under way included
    std::int64_t generated = 0;  ///< when it last joined the decoding ones or was preempted
    std::int64_t joined = 0,
                 ends = 0;   ///< on the counter of decode steps; ends: also where reserved blocks do
    std::int64_t units = 0;  ///< identities of the prompt whose shared blocks it uses
    std::int64_t own = 0;    ///< blocks of its own while prefilling, or reserved
    std::int64_t predicted_output = 0;
    std::uint64_t remains = 0;  ///< what names its blocks in the queue
    Nanoseconds last_token{-1};
  };
  struct Chunk {
    std::int32_t sequence = 0;
    std::int64_t tokens = 0, cached = 0;
  };
  struct End {
    std::int64_t at;
    std::uint64_t order;
    std::int32_t sequence, request;
    bool operator>(const End& o) const { return at != o.at ? at > o.at : order > o.order; }
  };
  struct Longest {
    std::int64_t behind_clock;  ///< tokens in the cache less decode steps: the same as long as it decodes
    std::int32_t sequence;
    bool operator<(const Longest& o) const {
      return behind_clock != o.behind_clock ? behind_clock < o.behind_clock : sequence < o.sequence;
    }
  };
  struct Joined {
    Nanoseconds when;
    std::int64_t count;
  };
  /// What the lanes of an instance have in common.
  struct Shared {
    KvPool pool;
    std::vector<Sequence> sequences;
    std::vector<std::int32_t> unused;
    std::deque<std::int32_t> waiting;
    std::int64_t outstanding = 0;
    Nanoseconds noted{0};      ///< end of the last step that did
    Nanoseconds link_free{0};  ///< when the link to host memory is
    std::vector<Instance*> lanes;
  };
  Instance(const InstanceSettings& settings, const Traffic& traffic, std::vector<RequestRecord>& requests,
           PoolRun& run, std::shared_ptr<Shared> shared);

  void slices(std::vector<BatchSlice>& out) const override;
  /// Leading tokens of a prompt that are in the cache.
  std::int64_t cached_prefix(std::int32_t request) const;
  Sequence& at(std::int32_t s) { return sequences_[static_cast<std::size_t>(s)]; }
  const Sequence& at(std::int32_t s) const { return sequences_[static_cast<std::size_t>(s)]; }
  const Request& request_of(const Sequence& s) const {
    return traffic_.requests[static_cast<std::size_t>(s.request)];
  }
  RequestRecord& record_of(const Sequence& s) { return records_[static_cast<std::size_t>(s.request)]; }
  std::int64_t blocks_for(std::int64_t tokens) const {
    return (tokens + settings_.block_tokens - 1) / settings_.block_tokens;
  }
  std::span<const std::uint64_t> identities(const Request& r, std::int64_t tokens) const;
  std::int64_t cached_tokens(const Sequence& s) const { return s.target + clock_ - s.joined; }
  std::int64_t longest_cached();
  std::int64_t own_blocks(const Sequence& s) const;
  std::int64_t reservation(const Sequence& s) const;
  /// Blocks that the decoding sequences need for their next tokens.
  std::int64_t needed() const {
    const std::int64_t b = settings_.block_tokens;
    return needs_[static_cast<std::size_t>((b - clock_ % b) % b)];
  }
  std::int64_t& needs_of(const Sequence& s) {
    const std::int64_t b = settings_.block_tokens;
    return needs_[static_cast<std::size_t>(((s.target - s.joined) % b + b) % b)];
  }

  void join_received();
  void note_completing();
  void hold(std::int32_t s);
  void choose(const Agenda& agenda, Nanoseconds now, BatchTimer& timer);
  void take_decodes(BatchTimer& timer);
  void go_on_with_prompts(std::int64_t& budget, BatchTimer& timer);
  void take_over_prompts(std::int64_t& budget);
  void bring_back(std::int32_t s);
  bool admit(std::int32_t s, std::int64_t& budget, Nanoseconds now);
  void sum_up();
  void add_chunk(std::int32_t s, std::int64_t tokens);
  void publish_units(Sequence& s, std::int64_t tokens);
  void join(std::int32_t s);
  void leave_decoding(const Sequence& s);
  void free_blocks(Sequence& s, bool comes_back);
  void preempt(std::int32_t s, BatchTimer& timer);
  void end_sequence(std::int32_t s, Nanoseconds end, BatchTimer& timer, std::vector<std::int32_t>& ended);
  void count_decodes(Nanoseconds end);
  void end_decodes(Nanoseconds end, BatchTimer& timer, std::vector<std::int32_t>& ended);
  void end_chunk(const Chunk& chunk, Nanoseconds end, BatchTimer& timer, std::vector<std::int32_t>& ended);
  void note(Nanoseconds start, Nanoseconds end, std::int64_t tokens);
  void swap(std::int64_t blocks, Bytes SwapRun::*way);
  Nanoseconds behind_swaps(Nanoseconds now);
  std::int32_t make_sequence(Sequence s);
  void append_running(std::int32_t s);
  void remove_running(std::int32_t s);

  InstanceSettings settings_;
  const Traffic& traffic_;
  std::vector<RequestRecord>& records_;
  PoolRun& run_;
  const Policy& policy_;
  std::shared_ptr<Shared> shared_;
  std::int32_t lane_ = 0;
  KvPool& pool_;
  std::int64_t watermark_ = 0;

  std::vector<Sequence>& sequences_;
  std::vector<std::int32_t>& unused_;
  std::deque<std::int32_t>& waiting_;
  std::vector<std::int32_t> prefilling_;  ///< in order of admission
  std::int32_t first_ = -1, last_ = -1;   ///< running, in order of admission
  std::int64_t decoding_ = 0;
  std::int64_t decoding_cached_ = 0;  ///< tokens of the decoding sequences in the cache
  std::int64_t clock_ = 0;            ///< decode steps so far
  std::vector<std::int64_t> needs_;   ///< decoding sequences by (cached tokens - clock) modulo the block size
  std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
  std::uint64_t ends_pushed_ = 0;
  std::priority_queue<Longest> longest_;  ///< the decoding sequences, and some that left
  std::optional<Nanoseconds> step_;       ///< start of the one under way
  bool decodes_ = false;                  ///< what it takes
  std::vector<Chunk> chunks_;
  bool preempted_ = false;  ///< in the step that is being made
  Nanoseconds swap_time_{0};
  Nanoseconds last_decode_{0};
  std::vector<Joined> joined_;  ///< since the last decode step
  std::int64_t joined_count_ = 0;
  std::int64_t& outstanding_;
  std::vector<Completing> completing_;
  std::vector<std::int32_t> held_, received_;
  std::deque<std::int32_t> expected_;  ///< requests
  std::int64_t reserved_ = 0;          ///< those that are received included
};

}  // namespace inferometer
