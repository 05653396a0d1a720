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
#include "simulator/serving/run.hpp"

namespace inferometer {

/// What an instance of a model has and how it serves.
struct InstanceSettings {
  Serving serving;
  std::int64_t kv_blocks = 0;
  std::int64_t block_tokens = 16;
  Seconds swap_block{0};  ///< one block over the link to host memory, one way (preemption: swap)
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
/// ignores       time to copy blocks beside a step (swapping delays the step behind it)
/// source        vLLM's scheduler of version 1 for the order of these and what may not follow a preemption
class Instance final : private Batch {
 public:
  /// requests  the record of each request of the traffic; other instances write to theirs
  Instance(const InstanceSettings& settings, const Traffic& traffic, std::vector<RequestRecord>& requests,
           PoolRun& run);

  /// Whether its limits and its whole cache allow the part of a request that it does.
  bool can_serve(std::int32_t request) const;
  /// Tokens that it computes and makes of a request.
  std::int64_t tokens_of(std::int32_t request) const;
  /// Takes a request into the queue. returns  whether it can be served at all; rejected otherwise
  bool enqueue(std::int32_t request, Nanoseconds now);
  /// Begins the next step. returns when it ends; nothing where there is nothing to do
  [[nodiscard]] Result<std::optional<Nanoseconds>> begin(Nanoseconds now, BatchTimer& timer);
  /// Ends the step that was begun last; appends requests that ended with it.
  void finish(Nanoseconds end, BatchTimer& timer, std::vector<std::int32_t>& ended);
  /// Runs steps that change nothing but lengths (decodes only, nothing waits, no sequence ends), each as
  /// begin() and finish() would, up to the first that does not end before `horizon`: that is under way then.
  struct Jumped {
    Nanoseconds now{0};                    ///< end of the last one that ended
    std::optional<Nanoseconds> under_way;  ///< when the one that was begun and not ended ends
  };
  [[nodiscard]] Result<Jumped> jump(Nanoseconds now, Nanoseconds horizon, BatchTimer& timer);

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

  /// Whether a step was begun and not ended.
  bool stepping() const { return step_.has_value(); }
  std::int64_t waiting() const { return static_cast<std::int64_t>(waiting_.size() + expected_.size()); }
  std::int64_t running() const { return decoding_ + static_cast<std::int64_t>(prefilling_.size()); }
  /// Sequences that have room here while their cache comes.
  std::int64_t reserved() const { return reserved_; }
  /// Tokens that those waiting and running still have to compute or make.
  std::int64_t outstanding_tokens() const { return outstanding_; }
  /// Leading tokens of a prompt that are in the cache.
  std::int64_t cached_prefix(std::int32_t request) const;
  const KvPool& pool() const { return pool_; }

 private:
  struct Sequence {
    std::int32_t request = 0;
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
    std::int64_t computed = 0;   ///< of them, while prefilling
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
  struct Joined {
    Nanoseconds when;
    std::int64_t count;
  };

  void slices(std::vector<BatchSlice>& out) const override;
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
  void bring_back(std::int32_t s);
  bool admit(std::int32_t s, const Agenda& agenda, std::int64_t& budget, Nanoseconds now);
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
  std::int32_t make_sequence(Sequence s);
  void append_running(std::int32_t s);
  void remove_running(std::int32_t s);

  InstanceSettings settings_;
  const Traffic& traffic_;
  std::vector<RequestRecord>& records_;
  PoolRun& run_;
  const Policy& policy_;
  KvPool pool_;
  std::int64_t watermark_ = 0;

  std::vector<Sequence> sequences_;
  std::vector<std::int32_t> unused_;
  std::deque<std::int32_t> waiting_;
  std::vector<std::int32_t> prefilling_;  ///< in order of admission
  std::int32_t first_ = -1, last_ = -1;   ///< running, in order of admission
  std::int64_t decoding_ = 0;
  std::int64_t decoding_cached_ = 0;  ///< tokens of the decoding sequences in the cache
  std::int64_t clock_ = 0;            ///< decode steps so far
  std::vector<std::int64_t> needs_;   ///< decoding sequences by (cached tokens - clock) modulo the block size
  std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
  std::uint64_t ends_pushed_ = 0;
  std::optional<Nanoseconds> step_;  ///< start of the one under way
  bool decodes_ = false;             ///< what it takes
  std::vector<Chunk> chunks_;
  bool preempted_ = false;  ///< in the step that is being made
  Nanoseconds swap_time_{0};
  Nanoseconds last_decode_{0};
  std::vector<Joined> joined_;  ///< since the last decode step
  std::int64_t joined_count_ = 0;
  std::int64_t outstanding_ = 0;
  std::vector<Completing> completing_;
  std::vector<std::int32_t> held_, received_;
  std::deque<std::int32_t> expected_;  ///< requests
  std::int64_t reserved_ = 0;          ///< those that are received included
};

}  // namespace inferometer
