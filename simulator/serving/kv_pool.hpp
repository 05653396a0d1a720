#pragma once
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "model/result.hpp"

namespace inferometer {

/// The blocks of a paged KV cache, counted. What is free lies in one queue in the order in which it was freed
/// and is taken from its front; freed blocks whose tokens are known stay findable until they are taken:
///   shared units   the blocks of one identity of a prompt (a unit), found by that
///   remains        the blocks of a sequence that was preempted, found by the sequence, its last taken first
///
/// source  vLLM's block pool: free blocks as a queue that evicts in order of release, a sequence's last
///         blocks first
/// cost    O(1) for a run of blocks; O(units) for a prompt
class KvPool {
 public:
  /// unit_blocks  of one identity
  KvPool(std::int64_t blocks, std::int64_t unit_blocks, bool caches);

  std::int64_t blocks() const { return blocks_; }
  std::int64_t free() const { return free_; }
  std::int64_t used() const { return blocks_ - free_; }
  std::int64_t unit_blocks() const { return unit_blocks_; }

  /// requires  n <= free()
  void take(std::int64_t n);
  void give(std::int64_t n);

  /// Leading identities whose blocks are there.
  struct Found {
    std::int64_t units = 0;
    std::int64_t idle_blocks = 0;  ///< of them, in the queue: using them takes so many of what is free
  };
  Found find(std::span<const std::uint64_t> identities) const;
  /// Uses the blocks of an identity that find() found.
  void reference(std::uint64_t identity);
  /// Makes blocks that a sequence has taken findable. returns whether; another has them under that identity
  /// otherwise, and they stay the sequence's own.
  bool publish(std::uint64_t identity);
  /// Ends the use of a found or published identity's blocks.
  void release(std::uint64_t identity);

  /// Frees the n blocks of a sequence that will come back. returns  what names them: 0 where nothing is kept
  std::uint64_t leave_remains(std::int64_t n);
  std::int64_t remains(std::uint64_t name) const;
  /// Takes back the first n of them; the others are forgotten.   requires  n <= remains(name)
  void take_remains(std::uint64_t name, std::int64_t n);

 private:
  /// A run of blocks in the queue, or a unit in use.
  struct Entry {
    std::int64_t blocks = 0;
    std::uint64_t identity = 0;  ///< of a unit, or the name of remains
    std::int32_t users = 0;      ///< of a unit; in the queue when 0
    enum class Kind : std::uint8_t { plain, unit, remains } kind = Kind::plain;
    std::int32_t before = -1, behind = -1;
  };
  Entry& at(std::int32_t e) { return entries_[static_cast<std::size_t>(e)]; }
  std::int32_t make(Entry entry);
  void drop(std::int32_t e);
  void push_back(std::int32_t e);
  void unlink(std::int32_t e);

  std::int64_t blocks_, free_, unit_blocks_;
  bool caches_;
  std::vector<Entry> entries_;
  std::vector<std::int32_t> unused_;
  std::int32_t front_ = -1, back_ = -1;
  std::unordered_map<std::uint64_t, std::int32_t> units_, remains_;
  std::uint64_t remains_named_ = 0;
};

}  // namespace inferometer
