#pragma once
#include <list>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "simulator/event_queue.hpp"
#include "simulator/serving/instance.hpp"
#include "simulator/serving/kv_links.hpp"

namespace inferometer {

/// A prompt that one instance computes and another decodes.
struct Handover {
  std::int32_t request = 0;
  std::size_t from = 0, to = 0;   ///< instances, counted through all replicas
  std::int64_t tokens = 0;        ///< of the prompt that leave layer by layer while the step runs
  Nanoseconds start{0}, step{0};  ///< of it; where nothing does: its end, and nothing
  // Once the receiver has room:
  std::int32_t sequence = -1;
  std::int64_t blocks = 0;  ///< of the prompt that it has not
  Nanoseconds room{0};      ///< since when
};

/// Caches on their way: each waits at its receiver until there is room, then until both links are free. First
/// come, first served, but one whose links are busy does not keep others from theirs. Where the receiver has
/// every block already nothing is sent: decoding goes on when the prompt's step ends.
class Handovers {
 public:
  /// block  of the cache, all layers
  /// requires  the instances, the traffic and what counts transfers to outlive it
  Handovers(std::vector<Instance*> instances, const Traffic& traffic, KvLinks links, Bytes block,
            std::int64_t block_tokens, std::int64_t layers, KvTransfers& counts)
      : instances_(std::move(instances)),
        traffic_(traffic),
        links_(std::move(links)),
        block_(block),
        block_tokens_(block_tokens),
        layers_(layers),
        counts_(counts) {}

  void ask(const Handover& handover, Nanoseconds now);
  /// An instance may have room now that it had not.
  void look_for_room(std::size_t to, Nanoseconds now);
  bool under_way() const { return !events_.empty(); }
  /// When links are free or a cache is there next.   requires  under_way()
  Nanoseconds next_time() const { return events_.next_time(); }
  /// What came; nothing where only links are free.   requires  under_way()
  std::optional<Handover> pop();

 private:
  std::int64_t blocks_of(std::int64_t tokens) const;
  void begin(Nanoseconds now);
  void send(const Handover& h, Nanoseconds now);

  struct Event {
    Handover handover;
    bool there;  ///< or the links are free
  };
  std::vector<Instance*> instances_;
  const Traffic& traffic_;
  KvLinks links_;
  Bytes block_;
  std::int64_t block_tokens_, layers_;
  KvTransfers& counts_;
  std::unordered_map<std::int32_t, Handover> asked_;  ///< by request, those that wait for room
  std::list<Handover> ready_;                         ///< those that wait for links
  EventQueue<Event> events_;
};

}  // namespace inferometer
