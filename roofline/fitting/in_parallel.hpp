#pragma once
#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace inferometer {

/// Calls work(i) once for each i below `count`, on all cores.
template <class Work>
void in_parallel(std::size_t count, const Work& work) {
  std::atomic<std::size_t> next{0};
  std::vector<std::jthread> threads;
  for (unsigned t = 0; t < std::max(1U, std::thread::hardware_concurrency()); ++t) {
    threads.emplace_back([&] {
      for (std::size_t i = next++; i < count; i = next++) work(i);
    });
  }
}

}  // namespace inferometer
