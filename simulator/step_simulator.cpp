#include "simulator/step_simulator.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "model/result.hpp"
#include "simulator/event_queue.hpp"

namespace inferometer {
namespace {

constexpr int nobody = -1;

void validate_times(const Task& task) {
  const auto sane = [](Seconds s) { return s >= Seconds{0} && std::isfinite(s.count()); };
  require(sane(task.alone) && sane(task.host) && sane(task.overlap), "a time is negative or not finite");
  require(task.overlap <= task.alone, "a task's overlap is longer than its time alone");
}

/// The part of a task that uses resources.
Claim claim_of(const Task& task) { return {.demands = task.demands, .duration = task.alone - task.overlap}; }

class StepRun {
 public:
  StepRun(std::span<const Task> tasks, std::span<const double> capacities);
  std::vector<TaskTimes> run() &&;

 private:
  struct State {
    int before = nobody, next = nobody;  // in the stream
    int waits = 0;                       // what must happen before the overlap may run
    bool ended = false;
    int version = 0;         // of the task's event: 0 its begin, later numbers its end at the current speed
    Nanoseconds overlapped;  // when its overlap is over
    Nanoseconds since;       // when it had `remaining` to do and took up `speed`
    Seconds remaining;       // time alone
    double speed = 1;
  };
  struct Due {
    int task, version;
  };

  void link(std::span<const double> capacities);
  void waited(int task);
  void begin_if_ready(int task);
  void begin(int task);
  void end(int task);
  void share();

  std::span<const Task> tasks_;
  std::vector<State> states_;
  std::vector<TaskTimes> times_;
  std::vector<int> dependents_,
      first_dependent_;  // of task i: [first_dependent_[i], first_dependent_[i + 1])
  EventQueue<Due> queue_;
  FairShare fair_;
  std::vector<int> running_;  // by index, so that sums do not depend on the order of starts
  std::vector<Claim> claims_;
  bool changed_ = false;  // running_ since share()
  std::size_t ended_ = 0;
};

StepRun::StepRun(std::span<const Task> tasks, std::span<const double> capacities)
    : tasks_(tasks), states_(tasks.size()), times_(tasks.size()), fair_(capacities) {
  link(capacities);
  Nanoseconds host{0};
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    times_[i].host_start = host;
    times_[i].host_end = host += to_ticks(tasks[i].host);
  }
}

/// Streams and `after` become counts of what each task waits for, and lists of whom its end concerns.
void StepRun::link(std::span<const double> capacities) {
  const int count = static_cast<int>(tasks_.size());
  std::vector<int> last;  // task of each stream
  first_dependent_.assign(count + 1, 0);
  const auto implied = [&](int i, int other) {
    return other < i && tasks_[other].stream == tasks_[i].stream;
  };
  for (int i = 0; i < count; ++i) {
    const Task& task = tasks_[i];
    validate_times(task);
    validate(claim_of(task), capacities);
    require(task.stream >= 0, "a task's stream is negative");
    if (static_cast<std::size_t>(task.stream) >= last.size()) last.resize(task.stream + 1, nobody);
    const int before = states_[i].before = std::exchange(last[task.stream], i);
    if (before != nobody) {
      states_[before].next = i;
      ++states_[i].waits;
    }
    for (const int other : task.after) {
      require(other >= 0 && other < count, "a task is after one that does not exist");
      if (implied(i, other)) continue;
      ++states_[i].waits;
      ++first_dependent_[other + 1];
    }
  }
  for (int i = 0; i < count; ++i) first_dependent_[i + 1] += first_dependent_[i];
  dependents_.resize(first_dependent_[count]);
  std::vector<int> filled = first_dependent_;
  for (int i = 0; i < count; ++i) {
    for (const int other : tasks_[i].after) {
      if (!implied(i, other)) dependents_[filled[other]++] = i;
    }
  }
}

std::vector<TaskTimes> StepRun::run() && {
  for (std::size_t i = 0; i < tasks_.size(); ++i) {
    if (states_[i].waits == 0) waited(static_cast<int>(i));
  }
  share();
  while (!queue_.empty()) {
    const auto [task, version] = queue_.pop().payload;
    if (version == states_[task].version) version == 0 ? begin(task) : end(task);  // else the speed changed
    if (queue_.empty() || queue_.next_time() > queue_.now()) share();
  }
  require(ended_ == tasks_.size(), "tasks wait for each other in a cycle");
  return std::move(times_);
}

/// Nothing but the host, the predecessor's tail and the overlap itself stands before the task.
void StepRun::waited(int task) {
  states_[task].overlapped = std::max(queue_.now(), times_[task].host_end) + to_ticks(tasks_[task].overlap);
  begin_if_ready(task);
}

void StepRun::begin_if_ready(int task) {
  const State& state = states_[task];
  if (state.waits > 0 || (state.before != nobody && !states_[state.before].ended)) return;
  if (state.overlapped > queue_.now()) {
    queue_.post(state.overlapped, {task, 0});
  } else {
    begin(task);
  }
}

/// The overlap is over and the predecessor has ended: the task takes up its resources.
void StepRun::begin(int task) {
  State& state = states_[task];
  times_[task].start = state.since = queue_.now() - to_ticks(tasks_[task].overlap);
  state.remaining = tasks_[task].alone;  // from `since` on, so that it is rounded as one
  running_.insert(std::lower_bound(running_.begin(), running_.end(), task), task);
  changed_ = true;
  if (state.next != nobody && --states_[state.next].waits == 0) waited(state.next);
}

void StepRun::end(int task) {
  states_[task].ended = true;
  ++ended_;
  times_[task].end = queue_.now();
  running_.erase(std::lower_bound(running_.begin(), running_.end(), task));
  changed_ = true;
  for (int d = first_dependent_[task]; d < first_dependent_[task + 1]; ++d) {
    if (--states_[dependents_[d]].waits == 0) waited(dependents_[d]);
  }
  if (states_[task].next != nobody) begin_if_ready(states_[task].next);
}

/// Gives each running task its speed, and a new end to those whose speed changed.
void StepRun::share() {
  if (!std::exchange(changed_, false)) return;
  claims_.clear();
  for (const int task : running_) claims_.push_back(claim_of(tasks_[task]));
  const std::vector<double>& speeds = fair_.speeds(claims_);
  const Nanoseconds now = queue_.now();
  for (std::size_t i = 0; i < running_.size(); ++i) {
    State& state = states_[running_[i]];
    if (state.speed != speeds[i]) {
      state.remaining -= state.speed * Seconds{now - state.since};
      state.since = now;
      state.speed = speeds[i];
    } else if (state.version > 0) {
      continue;
    }
    const Nanoseconds end = state.since + to_ticks(state.remaining / state.speed);
    queue_.post(std::max(now, end), {running_[i], ++state.version});
  }
}

}  // namespace

std::vector<TaskTimes> simulate_step(std::span<const Task> tasks, std::span<const double> capacities) {
  return StepRun(tasks, capacities).run();
}

Nanoseconds single_stream_time(std::span<const Task> tasks) {
  Nanoseconds host{0}, begin{0}, end{0};  // begin: of the part that does not overlap
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const Task& task = tasks[i];
    validate_times(task);
    require(task.stream == tasks[0].stream, "single_stream_time() was given more than one stream");
    for (const int other : task.after) {
      require(other >= 0 && static_cast<std::size_t>(other) < i, "a task is after itself or a later one");
    }
    const Nanoseconds overlap = to_ticks(task.overlap);
    host += to_ticks(task.host);
    const Nanoseconds start = std::max({host, begin, end - overlap});
    begin = start + overlap;
    end = start + to_ticks(task.alone);
  }
  return end;
}

}  // namespace inferometer
