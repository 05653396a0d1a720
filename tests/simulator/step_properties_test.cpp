#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "simulator/step_simulator.hpp"

namespace inferometer {
namespace {

constexpr int resources = 3;
const std::vector<double> capacities{4.8e12, 9.9e14, 6.4e10};  // B/s of memory, FLOP/s, B/s of a link

/// Random steps, the same on every machine: the engine is specified by the standard, the distributions are
/// not used.
class RandomSteps {
 public:
  explicit RandomSteps(std::uint32_t seed) : engine_(seed) {}

  std::vector<Task> draw(int streams) {
    std::vector<Task> tasks(engine_() % 40);
    const bool eager = engine_() % 2 == 0, early = engine_() % 2 == 0;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      Task& task = tasks[i];
      task.stream = static_cast<int>(engine_() % streams);
      if (engine_() % 8 > 0) task.alone = Seconds{20e-6 * part()};
      if (eager) task.host = Seconds{10e-6 * part()};
      if (early) task.overlap = .5 * part() * task.alone;
      for (int r = 0; r < resources; ++r) {
        const double full = capacities[r] * (task.alone - task.overlap).count();
        const double filled = engine_() % 4 == 0 ? 1 : part();
        if (engine_() % 2 == 0) task.demands.push_back({r, filled * full});
      }
      if (i > 0 && engine_() % 4 == 0) task.after.push_back(static_cast<int>(engine_() % i));
    }
    return tasks;
  }

 private:
  double part() { return static_cast<double>(engine_()) / 4294967296; }
  std::mt19937 engine_;
};

TEST(SingleStream, ClosedFormIsTheEventRunToTheNanosecond) {
  RandomSteps steps{1};
  for (int trial = 0; trial < 3000; ++trial) {
    const auto tasks = steps.draw(1);
    const auto times = simulate_step(tasks, capacities);
    ASSERT_EQ(single_stream_time(tasks), times.empty() ? Nanoseconds{0} : times.back().end);
  }
}

TEST(SingleStream, WithoutOverlapItIsTheRecurrenceOfEndsAndDispatches) {
  RandomSteps steps{2};
  for (int trial = 0; trial < 1000; ++trial) {
    auto tasks = steps.draw(1);
    Nanoseconds host{0}, end{0};
    for (Task& task : tasks) {
      task.demands.clear();
      task.overlap = Seconds{0};
      host += to_ticks(task.host);
      end = std::max(end, host) + to_ticks(task.alone);
    }
    ASSERT_EQ(single_stream_time(tasks), end);
  }
}

TEST(StepProperties, TheSameTasksTakeTheSameTimes) {
  RandomSteps steps{3}, again{3};
  for (int trial = 0; trial < 300; ++trial) {
    ASSERT_EQ(simulate_step(steps.draw(4), capacities), simulate_step(again.draw(4), capacities));
  }
}

TEST(StepProperties, OrderIsKeptAndNothingIsFasterThanAlone) {
  RandomSteps steps{4};
  for (int trial = 0; trial < 1000; ++trial) {
    const auto tasks = steps.draw(4);
    const auto times = simulate_step(tasks, capacities);
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      ASSERT_GE(times[i].start, times[i].host_end);
      ASSERT_GE(times[i].end - times[i].start + Nanoseconds{1}, to_ticks(tasks[i].alone));
      for (const int other : tasks[i].after) {
        const bool in_stream = tasks[other].stream == tasks[i].stream;
        ASSERT_GE(times[i].start + (in_stream ? to_ticks(tasks[i].overlap) : Nanoseconds{0}),
                  times[other].end);
      }
      for (std::size_t j = 0; j < i; ++j) {
        if (tasks[j].stream != tasks[i].stream) continue;
        ASSERT_GE(times[i].start + to_ticks(tasks[i].overlap), times[j].end);
      }
    }
  }
}

/// From the times alone: between two neighbouring instants the tasks that run are known, hence their speeds,
/// and what they use. Added up, each task has had its amounts, and no resource gave more than it has.
TEST(StepProperties, EachTaskGetsItsAmountsAndNoResourceGivesMoreThanItHas) {
  RandomSteps steps{5};
  for (int trial = 0; trial < 500; ++trial) {
    const auto tasks = steps.draw(4);
    const auto times = simulate_step(tasks, capacities);
    const auto begin = [&](std::size_t i) { return times[i].start + to_ticks(tasks[i].overlap); };
    std::vector<Nanoseconds> instants;
    for (std::size_t i = 0; i < tasks.size(); ++i) instants.insert(instants.end(), {begin(i), times[i].end});
    std::sort(instants.begin(), instants.end());

    std::vector<double> worked(tasks.size());  // seconds of time alone, after the overlap
    FairShare fair{capacities};
    for (std::size_t k = 1; k < instants.size(); ++k) {
      std::vector<std::size_t> running;
      std::vector<Claim> claims;
      for (std::size_t i = 0; i < tasks.size(); ++i) {
        if (begin(i) >= instants[k] || times[i].end <= instants[k - 1]) continue;
        running.push_back(i);
        claims.push_back({.demands = tasks[i].demands, .duration = tasks[i].alone - tasks[i].overlap});
      }
      const auto& speeds = fair.speeds(claims);
      std::vector<double> used(resources);
      for (std::size_t c = 0; c < claims.size(); ++c) {
        worked[running[c]] += speeds[c] * Seconds{instants[k] - instants[k - 1]}.count();
        for (const auto& [r, amount] : claims[c].demands)
          used[r] += speeds[c] * amount / claims[c].duration.count();
      }
      for (int r = 0; r < resources; ++r) ASSERT_LE(used[r], capacities[r] * (1 + 2 * capacity_slack));
    }
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      // Usage is speed x amount / duration: the amount is had when `worked` is the duration. Overlap and end
      // are rounded, each by half a tick.
      ASSERT_NEAR(worked[i], (tasks[i].alone - tasks[i].overlap).count(), 1.001e-9) << "trial " << trial;
    }
  }
}

}  // namespace
}  // namespace inferometer
