#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "simulator/serving/batch_timer.hpp"
#include "simulator/serving/routers.hpp"

namespace inferometer {

class Instance;

/// A replica of a model as its server drives it: an instance by itself, or several that share devices.
class Replica {
 public:
  virtual ~Replica() = default;

  /// Whether its limits and its whole cache allow the part of a request that it does.
  virtual bool can_serve(std::int32_t request) const = 0;
  /// Tokens that it computes and makes of a request.
  virtual std::int64_t tokens_of(std::int32_t request) const = 0;
  /// Takes a request into the queue. returns  whether it can be served at all; rejected otherwise
  virtual bool enqueue(std::int32_t request, Nanoseconds now) = 0;
  /// Whether no step can begin before one that is under way ends.
  virtual bool stepping() const = 0;
  /// Begins the next step. returns when it ends; nothing where there is nothing to do
  [[nodiscard]] virtual Result<std::optional<Nanoseconds>> begin(Nanoseconds now, BatchTimer& timer) = 0;
  /// Ends the step that was begun first of those under way; appends requests that ended with it.
  virtual void finish(Nanoseconds end, BatchTimer& timer, std::vector<std::int32_t>& ended) = 0;

  struct Jumped {
    Nanoseconds now{0};                    ///< end of the last one that ended
    std::optional<Nanoseconds> under_way;  ///< when the one that was begun and not ended ends
  };
  /// Runs steps that change nothing but lengths (decodes only, nothing waits, no sequence ends), each as
  /// begin() and finish() would, up to the first that does not end before `horizon`: that is under way then.
  [[nodiscard]] virtual Result<Jumped> jump(Nanoseconds now, Nanoseconds /*horizon*/, BatchTimer& /*timer*/) {
    return Jumped{.now = now, .under_way = {}};
  }
  /// Whether steps overlap, so that another may end before the one that was begun last.
  virtual bool overlaps() const { return false; }

  /// What hands caches over, or takes them; none of a pipeline.
  virtual std::vector<Instance*> instances() { return {}; }
  /// Which of these takes the next one.
  virtual std::size_t next_instance() const { return 0; }

  /// What a router sees, without the request itself. prefixes  whether it asks for the request's prefix
  virtual ReplicaLoad load(std::int32_t request, bool prefixes) const = 0;
};

}  // namespace inferometer
