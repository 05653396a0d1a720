#include "simulator/step_simulator.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace inferometer {
namespace {

constexpr int hbm = 0, tensor = 1, link = 2;
const std::vector<double> unit_speed{1, 1, 1};  // 1 B/s, 1 FLOP/s, 1 B/s

using Tasks = std::vector<Task>;
using Span = std::pair<double, double>;  // start and end [s]

std::vector<Span> spans(const Tasks& tasks) {
  std::vector<Span> spans;
  for (const TaskTimes& t : simulate_step(tasks, unit_speed)) {
    spans.emplace_back(Seconds{t.start}.count(), Seconds{t.end}.count());
  }
  return spans;
}

Task reading(double bytes, int stream = 0) {
  return {.alone = Seconds{bytes}, .demands = {{hbm, bytes}}, .stream = stream};
}
Task computing(double flops, int stream = 0) {
  return {.alone = Seconds{flops}, .demands = {{tensor, flops}}, .stream = stream};
}
Task copying(double bytes, double of_memory, int stream = 0) {
  return {.alone = Seconds{bytes}, .demands = {{link, bytes}, {hbm, of_memory}}, .stream = stream};
}

TEST(StepSimulator, NoTasksNoTimes) {
  EXPECT_TRUE(simulate_step({}, unit_speed).empty());
  EXPECT_EQ(single_stream_time({}), Nanoseconds{0});
}

TEST(StepSimulator, OneStreamRunsItsTasksInPostingOrder) {
  EXPECT_EQ(spans({reading(3), computing(1), reading(2)}), (std::vector<Span>{{0, 3}, {3, 4}, {4, 6}}));
}

TEST(StepSimulator, TwoMemoryBoundStreamsTakeTwiceAsLong) {
  EXPECT_EQ(spans({reading(3, 0), reading(3, 1)}), (std::vector<Span>{{0, 6}, {0, 6}}));
}

TEST(StepSimulator, WhoIsLeftSpeedsUp) {  // both at 1/2 until 2; then 2 s are left of the longer one
  EXPECT_EQ(spans({reading(3, 0), reading(1, 1)}), (std::vector<Span>{{0, 4}, {0, 2}}));
}

TEST(StepSimulator, MemoryBesideComputeTakesTheLonger) {
  EXPECT_EQ(spans({reading(3, 0), computing(5, 1)}), (std::vector<Span>{{0, 3}, {0, 5}}));
}

// The copy fills the link and takes 1/4 of the memory bandwidth, less than an equal part: it is not slowed.
// Reading gets 3/4 for 4 s, which does 3 of its 5 B; the other 2 take 2 s.
TEST(StepSimulator, ACopySlowsReadingByTheMemoryBandwidthItTakes) {
  EXPECT_EQ(spans({reading(5, 0), copying(4, 1, 1)}), (std::vector<Span>{{0, 6}, {0, 4}}));
}

TEST(StepSimulator, ACopyBesideComputeIsHidden) {
  EXPECT_EQ(spans({computing(5, 0), copying(4, 1, 1)}), (std::vector<Span>{{0, 5}, {0, 4}}));
}

// Speeds 3/4, 1/2, 1/2 (see FairShare). At 4 the copy (2 s at 1/2) is done, and 3 of the reading's 6, 2 of
// the transfer's 3. They no longer meet: the transfer ends at 5, the reading at 7.
TEST(StepSimulator, ThreeTasksOnTwoResources) {
  const Task transfer = copying(3, 0, 2);
  EXPECT_EQ(spans({reading(6, 0), copying(2, 1, 1), transfer}), (std::vector<Span>{{0, 7}, {0, 4}, {0, 5}}));
}

TEST(StepSimulator, ASlowHostSetsThePace) {  // 3 launches x 2 s of host, then the last task's second
  Tasks tasks(3, reading(1));
  for (Task& task : tasks) task.host = Seconds{2};
  EXPECT_EQ(spans(tasks), (std::vector<Span>{{2, 3}, {4, 5}, {6, 7}}));
}

TEST(StepSimulator, AFastHostRunsAheadAndIsHidden) {  // the first launch, then 3 tasks of 5 s
  Tasks tasks(3, reading(5));
  for (Task& task : tasks) task.host = Seconds{2};
  EXPECT_EQ(spans(tasks), (std::vector<Span>{{2, 7}, {7, 12}, {12, 17}}));
  const auto times = simulate_step(tasks, unit_speed);
  EXPECT_EQ(times[2].host_start, to_ticks(Seconds{4}));
  EXPECT_EQ(times[2].host_end, to_ticks(Seconds{6}));
}

TEST(StepSimulator, TheHostDispatchesAllStreamsInPostingOrder) {
  Tasks tasks{computing(1, 1), reading(1, 0)};
  tasks[0].host = Seconds{3};
  EXPECT_EQ(spans(tasks), (std::vector<Span>{{3, 4}, {3, 4}}));  // the second has no host time, but its turn
}

TEST(StepSimulator, ATaskWaitsForThoseItIsAfterOnOtherStreams) {
  Tasks tasks{reading(2, 0), computing(1, 1), computing(1, 0)};
  tasks[1].after = {0};
  tasks[2].after = {0, 1, 1};  // once more than needed does no harm
  EXPECT_EQ(spans(tasks), (std::vector<Span>{{0, 2}, {2, 3}, {3, 4}}));
}

TEST(StepSimulator, ATaskMayBeAfterOnePostedLater) {
  Tasks tasks{reading(1, 0), reading(1, 1)};
  tasks[0].after = {1};
  EXPECT_EQ(spans(tasks), (std::vector<Span>{{1, 2}, {0, 1}}));
}

TEST(StepSimulator, TasksThatTakeNoTimeEndWhereTheyStart) {
  EXPECT_EQ(spans({Task{}, reading(1), Task{}, Task{}}), (std::vector<Span>{{0, 0}, {0, 1}, {1, 1}, {1, 1}}));
}

TEST(StepSimulator, AnOverlapRunsInThePredecessorsTail) {
  Tasks tasks{reading(4), reading(3)};
  tasks[1].alone = Seconds{4};
  tasks[1].overlap = Seconds{1};
  EXPECT_EQ(spans(tasks), (std::vector<Span>{{0, 4}, {3, 7}}));
}

TEST(StepSimulator, AnOverlapIsHiddenOnlyAsFarAsTheHostAndThePredecessorAllow) {
  const Task first{.alone = Seconds{4}}, second{.alone = Seconds{4}, .overlap = Seconds{3}};
  Tasks late{first, second};
  late[1].host = Seconds{3};  // dispatched at 3: one of the three seconds fits before 4
  EXPECT_EQ(spans(late), (std::vector<Span>{{0, 4}, {3, 7}}));
  EXPECT_EQ(spans({second}), (std::vector<Span>{{0, 4}}));  // nothing to hide behind
  // The second can hide 3 s in the first's 4. The third may start once the second's overlap is over, at 4: 1
  // s of the second's work is there to hide behind, so it starts at 4 and ends at 8.
  EXPECT_EQ(spans({first, second, second}), (std::vector<Span>{{0, 4}, {1, 5}, {4, 8}}));
}

TEST(StepSimulator, AnOverlapDoesNotReachAcrossStreams) {
  Tasks tasks{reading(4, 0), {.alone = Seconds{2}, .stream = 1, .after = {0}, .overlap = Seconds{1}}};
  EXPECT_EQ(spans(tasks), (std::vector<Span>{{0, 4}, {4, 6}}));
  tasks[1].stream = 0;  // in the stream, the same edge adds nothing to the order
  EXPECT_EQ(spans(tasks), (std::vector<Span>{{0, 4}, {3, 5}}));
}

TEST(StepSimulator, AnOverlapUsesNoResources) {  // so the neighbour is slowed from 2 to 4 only
  Tasks tasks{reading(3, 0),
              {.alone = Seconds{3}, .demands = {{hbm, 1}}, .stream = 1, .overlap = Seconds{2}}};
  EXPECT_EQ(spans(tasks), (std::vector<Span>{{0, 4}, {0, 4}}));
}

TEST(StepSimulator, ATaskNeverSlowedTakesItsTimeToTheTickWhateverHappensBeside) {
  const Seconds odd{1.0000000016};
  Tasks tasks{{.alone = odd, .demands = {{tensor, 1}}, .stream = 0}};
  for (int i = 0; i < 1000; ++i)
    tasks.push_back({.alone = Seconds{.0007}, .demands = {{hbm, .0007}}, .stream = 1});
  EXPECT_EQ(simulate_step(tasks, unit_speed)[0].end, Nanoseconds{1'000'000'002});
}

// Beside a thousand short tasks, each 1/3 ms alone and 2/3 ms here, the long one does 1/3 of its second; 2/3
// s remain.
TEST(StepSimulator, RoundingDoesNotAddUp) {
  Tasks tasks{reading(1, 0)};
  for (int i = 0; i < 1000; ++i) tasks.push_back(reading(1e-3 / 3, 1));
  const auto times = simulate_step(tasks, unit_speed);
  EXPECT_NEAR(Seconds{times[0].end}.count(), 4. / 3, 1000 * .5e-9 + 1e-9);  // each short end is rounded
  EXPECT_EQ(times[0].end - times[1000].end, to_ticks(Seconds{1} - Seconds{times[1000].end} / 2));
}

TEST(StepSimulatorDeathTest, RefusesCyclesAndTasksThatDoNotExist) {
  const auto simulate = [](const Tasks& tasks) { return simulate_step(tasks, unit_speed); };
  EXPECT_DEATH(simulate({{.after = {0}}}), "cycle");
  EXPECT_DEATH(simulate({{.after = {1}}, {}}), "cycle");  // the stream's order is the other half of it
  EXPECT_DEATH(simulate({{.stream = 0, .after = {1}}, {.stream = 1, .after = {0}}}), "cycle");
  EXPECT_DEATH(simulate({{.after = {1}}}), "does not exist");
  EXPECT_DEATH(simulate({{.after = {-1}}}), "does not exist");
  EXPECT_DEATH(simulate({{.stream = -1}}), "stream is negative");
  EXPECT_DEATH(simulate({{.alone = Seconds{-1}}}), "time is negative");
  EXPECT_DEATH(simulate({{.alone = Seconds{1}, .overlap = Seconds{2}}}), "overlap is longer");
  EXPECT_DEATH(simulate({{.alone = Seconds{1}, .demands = {{hbm, 2}}}}), "more than its resource gives");
  EXPECT_DEATH(single_stream_time(Tasks{{.stream = 0}, {.stream = 1}}), "more than one stream");
}

}  // namespace
}  // namespace inferometer
