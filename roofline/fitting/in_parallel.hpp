#pragma once
#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace inferometer {

/// Calls work(i) once for each i below `count`, on all cores, from within others too: the last and longest of
/// those then has them for itself.
template <class Work>
void in_parallel(std::size_t count, const Work& work) {
  std::atomic<std::size_t> next{0};
  std::vector<std::jthread> threads;
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  for (std::size_t t = 0; t < std::min(cores, count); ++t) {
    threads.emplace_back([&] {
      for (std::size_t i = next++; i < count; i = next++) work(i);
    });
  }
}

}  // namespace inferometer
