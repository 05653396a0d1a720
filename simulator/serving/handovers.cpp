#include "simulator/serving/handovers.hpp"

#include <algorithm>

namespace inferometer {

void Handovers::ask(const Handover& handover, Nanoseconds now) {
  asked_.emplace(handover.request, handover);
  instances_[handover.to]->expect(handover.request);
  look_for_room(handover.to, now);
}

std::int64_t Handovers::blocks_of(std::int64_t tokens) const {
  return (tokens + block_tokens_ - 1) / block_tokens_;
}

void Handovers::look_for_room(std::size_t to, Nanoseconds now) {
  bool some = false;
  while (const auto room = instances_[to]->reserve()) {
    const auto asked = asked_.find(room->request);
    Handover h = asked->second;
    asked_.erase(asked);
    h.sequence = room->sequence;
    h.blocks = blocks_of(traffic_.requests[static_cast<std::size_t>(h.request)].prompt_tokens) -
               room->there / block_tokens_;
    h.room = now;
    counts_.tokens_there += room->there;
    if (h.blocks == 0) {
      const Nanoseconds there = std::max(now, h.start + h.step);
      counts_.delay.add(there - h.start - h.step);
      events_.post(there, {h, true});
      continue;
    }
    ready_.push_back(h);
    some = true;
  }
  if (some) begin(now);
}

/// All whose links are free.
void Handovers::begin(Nanoseconds now) {
  for (auto h = ready_.begin(); h != ready_.end();) {
    if (links_.free(h->from, h->to)) {
      send(*h, now);
      h = ready_.erase(h);
    } else {
      ++h;
    }
  }
}

void Handovers::send(const Handover& h, Nanoseconds now) {
  const std::int64_t layered = std::min(h.blocks, blocks_of(h.tokens));
  const KvLinks::Times times = links_.begin(h.from, h.to,
                                            {.before = (h.blocks - layered) * block_,
                                             .layered = layered * block_,
                                             .start = h.start,
                                             .step = h.step,
                                             .layers = layers_},
                                            now);
  counts_.bytes += h.blocks * block_;
  counts_.time.add(times.there - h.room);
  counts_.delay.add(times.there - h.start - h.step);
  counts_.sent.add({.request = h.request,
                    .from = h.from,
                    .to = h.to,
                    .start = now,
                    .there = times.there,
                    .bytes = h.blocks * block_});
  events_.post(times.free, {h, false});
  events_.post(times.there, {h, true});
}

std::optional<Handover> Handovers::pop() {
  const auto event = events_.pop();
  const Handover& h = event.payload.handover;
  if (event.payload.there) return h;
  links_.end(h.from, h.to);
  begin(event.time);
  return std::nullopt;
}

}  // namespace inferometer
