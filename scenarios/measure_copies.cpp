#include "scenarios/measure_copies.hpp"

#include <fmt/format.h>

#include "scenarios/samples.hpp"

namespace inferometer {
namespace {

Result<Seconds> measure(const CopyBeside& copy, Case c, Backend& backend) {
  c.workload.copy_beside = copy;
  const Result<Structure> structure = compile(c.model(), c.plan);
  if (!structure) return failure(structure.error());
  if (const Result<MemoryUse> used = backend.prepare(c, *structure); !used) return failure(used.error());
  const std::unique_ptr<StepTimer> timer = backend.timer();
  Step alone;
  alone.copy_beside = copy;
  constexpr int runs = 12;
  std::vector<Nanoseconds> times;
  for (int run = 0; run <= runs; ++run) {
    if (const Result<Nanoseconds> time = timer->time(alone); !time) return failure(time.error());
    if (run > 0) times.push_back(timer->copied());  // the first one warms up
  }
  const Nanoseconds median = samples_of(times).median;
  if (median <= Nanoseconds{0}) return failure("took no time");
  return std::chrono::duration_cast<Seconds>(median);
}

}  // namespace

std::vector<std::string> measure_copies(StepGrid& grid, Backend& backend) {
  std::vector<std::string> refused;
  if (grid.runs.empty()) return refused;
  for (GridCopy& c : grid.copies) {
    if (Result<Seconds> time = measure(c.copy, grid.runs.front().settings, backend)) {
      c.measured = *time;
    } else {
      refused.push_back(fmt::format("copy {}: {}", name(c.copy.direction), time.error().front().message));
    }
  }
  return refused;
}

}  // namespace inferometer
