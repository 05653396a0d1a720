#pragma once
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

namespace inferometer {

/// Runs the jobs 0 to jobs - 1, each on the first thread that is free; returns when all are done. A job that
/// writes to a place of its own makes results the same for any number of threads.
inline void run_jobs(std::size_t jobs, std::size_t threads, const std::function<void(std::size_t)>& job) {
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t j = next++; j < jobs; j = next++) job(j);
  };
  std::vector<std::jthread> others;
  for (std::size_t t = 1; t < std::min(threads, jobs); ++t) others.emplace_back(work);
  work();
}

}  // namespace inferometer
