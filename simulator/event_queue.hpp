#pragma once
#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "model/result.hpp"
#include "model/units.hpp"

namespace inferometer {

/// Events in order of time; those of one instant in the order in which they were posted.
/// The keys (time, number of the post) are all different, so the order is the same with every standard
/// library.
///
/// cost  post and pop O(log n)
template <class Payload>
class EventQueue {
 public:
  struct Event {
    Nanoseconds time;
    std::uint64_t sequence;
    Payload payload;
  };

  /// The time of the event popped last; zero before the first.
  Nanoseconds now() const { return now_; }
  bool empty() const { return heap_.empty(); }

  /// requires  not empty()
  Nanoseconds next_time() const {
    require(!heap_.empty(), "next_time() of an empty event queue");
    return heap_.front().time;
  }

  /// requires  time >= now(): the past does not change
  void post(Nanoseconds time, Payload payload) {
    require(time >= now_, "an event was posted into the past");
    heap_.push_back(Event{time, posted_++, std::move(payload)});
    std::push_heap(heap_.begin(), heap_.end(), later);
  }

  /// Takes the next event out and moves the clock to it.   requires  not empty()
  Event pop() {
    require(!heap_.empty(), "pop() of an empty event queue");
    std::pop_heap(heap_.begin(), heap_.end(), later);
    Event event = std::move(heap_.back());
    heap_.pop_back();
    now_ = event.time;
    return event;
  }

 private:
  static bool later(const Event& a, const Event& b) {
    return a.time != b.time ? a.time > b.time : a.sequence > b.sequence;
  }

  std::vector<Event> heap_;
  Nanoseconds now_{0};
  std::uint64_t posted_ = 0;
};

}  // namespace inferometer
