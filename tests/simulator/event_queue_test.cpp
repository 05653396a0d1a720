#include "simulator/event_queue.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace inferometer {
namespace {

std::vector<char> drain(EventQueue<char>& queue) {
  std::vector<char> order;
  while (!queue.empty()) order.push_back(queue.pop().payload);
  return order;
}

TEST(EventQueue, PopsByTimeAndTiesByPosting) {
  EventQueue<char> queue;
  queue.post(Nanoseconds{2}, 'c');
  queue.post(Nanoseconds{1}, 'a');
  queue.post(Nanoseconds{2}, 'd');
  queue.post(Nanoseconds{1}, 'b');
  EXPECT_EQ(drain(queue), (std::vector{'a', 'b', 'c', 'd'}));
}

TEST(EventQueue, AnEventPostedForNowComesAfterThoseAlreadyThere) {
  EventQueue<char> queue;
  queue.post(Nanoseconds{5}, 'a');
  queue.post(Nanoseconds{5}, 'b');
  EXPECT_EQ(queue.pop().payload, 'a');
  queue.post(queue.now(), 'c');
  EXPECT_EQ(drain(queue), (std::vector{'b', 'c'}));
}

TEST(EventQueue, TheClockIsTheTimeOfTheLastEvent) {
  EventQueue<int> queue;
  EXPECT_EQ(queue.now(), Nanoseconds{0});
  queue.post(Nanoseconds{7}, 0);
  EXPECT_EQ(queue.next_time(), Nanoseconds{7});
  EXPECT_EQ(queue.now(), Nanoseconds{0});
  queue.pop();
  EXPECT_EQ(queue.now(), Nanoseconds{7});
}

TEST(EventQueue, TenThousandEventsAtAHundredInstantsComeInOrder) {
  EventQueue<int> queue;
  std::uint32_t state = 1;  // Lehmer's generator
  for (int i = 0; i < 10000; ++i) {
    state = static_cast<std::uint32_t>(state * 48271ull % 2147483647ull);
    queue.post(Nanoseconds{state % 100}, i);
  }
  std::pair last{Nanoseconds{-1}, -1};
  while (!queue.empty()) {
    const auto event = queue.pop();
    const std::pair current{event.time, event.payload};
    ASSERT_LT(last, current);
    last = current;
  }
}

TEST(EventQueueDeathTest, RefusesThePastAndTheEmptyQueue) {
  EventQueue<int> queue;
  EXPECT_DEATH(queue.pop(), "empty event queue");
  EXPECT_DEATH(queue.next_time(), "empty event queue");
  queue.post(Nanoseconds{7}, 0);
  queue.pop();
  EXPECT_DEATH(queue.post(Nanoseconds{6}, 0), "into the past");
}

}  // namespace
}  // namespace inferometer
