#pragma once
#include <span>
#include <vector>

#include "model/units.hpp"
#include "simulator/resources.hpp"

namespace inferometer {

/// A kernel, a copy or a transfer: one piece of work on one stream. Copy engines and links are streams as
/// well, with resources of their own.
struct Task {
  Seconds alone{0};  ///< when nothing else runs: launch and prologue included, inefficiency included
  std::vector<Demand> demands{};
  int stream = 0;            ///< a small index; the tasks of a stream run in posting order
  std::vector<int> after{};  ///< tasks, by index, that must have ended as well
  Seconds host{0};           ///< of the host thread, before the launch (eager dispatch); 0 in graph replay
  /// Leading part of `alone` that needs nothing from the predecessor in the stream and uses no resource, so
  /// that it may run in the predecessor's tail (programmatic dependent launch). Cannot be longer than
  /// `alone`.
  Seconds overlap{0};
};

struct TaskTimes {
  Nanoseconds start{0}, end{0};  ///< on the device; `overlap` included
  Nanoseconds host_start{0}, host_end{0};
  friend bool operator==(const TaskTimes&, const TaskTimes&) = default;
};

/// Runs the tasks of one step as discrete events, from time zero.
///
/// host      one thread dispatches the tasks in posting order, never waiting for the device
/// start     no earlier than the end of the task's dispatch, the end of each task in `after`, the time at
/// which
///           the predecessor's own overlap was over, and the predecessor's end less `overlap`. One in `after`
///           that precedes in the same stream is implied by the stream's order and does not forbid the
///           overlap.
/// speed     the running tasks share the resources as FairShare says; speeds change only when a task begins
/// to
///           use resources (start + overlap) or ends. What is left of a task is kept unrounded; only ends are
///           rounded. A task that is never slowed takes to_ticks(alone).
/// returns   the times, in the order of the tasks; no tasks, no times
/// requires  capacities [units/s] that each task fits in alone; times finite and not negative; no cycle among
///           `after` and the order of the streams. Otherwise it aborts.
/// ignores   a bound on how far the host runs ahead (the driver's launch queue)
/// cost      O(E log E) events, each with one round of FairShare over the tasks that run
std::vector<TaskTimes> simulate_step(std::span<const Task> tasks, std::span<const double> capacities);

/// The end of the last task when all are on one stream, where nothing is shared:
///   start_i = max(host_end_i, start_{i-1} + overlap_{i-1}, end_{i-1} - overlap_i)    end_i = start_i +
///   alone_i
/// which without overlap is end_i = max(end_{i-1}, host_end_i) + alone_i.
///
/// returns   what simulate_step would, to the nanosecond; zero without tasks
/// requires  one stream; `after` empty or naming earlier tasks
Nanoseconds single_stream_time(std::span<const Task> tasks);

}  // namespace inferometer
