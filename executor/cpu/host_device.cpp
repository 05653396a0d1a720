#include "executor/cpu/host_device.hpp"

#include <omp.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "executor/cpu/kernels.hpp"
#include "executor/cpu/matrix_rate.hpp"
#include "executor/cpu/products.hpp"
#include "executor/cpu/reading.hpp"

namespace inferometer::cpu {
namespace {

using Clock = std::chrono::steady_clock;

/// The shortest of `runs` runs: what the machine can do when nothing disturbs it.
Seconds best_of(int runs, const std::function<void()>& work) {
  Seconds best{1e9};
  for (int i = 0; i < runs; ++i) {
    const auto start = Clock::now();
    work();
    best = std::min(best, Seconds{Clock::now() - start});
  }
  return best;
}

/// A chain of additions, each of which takes one cycle.
Hertz clock_rate() {
  constexpr std::int64_t iterations = 20'000'000;
  std::int64_t x = 0;
  const Seconds time = best_of(3, [&] {
    for (std::int64_t i = 0; i < iterations; ++i) asm volatile("" : "+r"(x += 1));
  });
  return Hertz{static_cast<double>(iterations) / time.count()};
}

/// FLOP/s of independent multiply-adds in registers.
FlopsPerSecond vector_rate(int threads) {
  constexpr std::int64_t iterations = 1'000'000;
  std::int64_t flops = 0;
  const Seconds time = best_of(5, [&] {
    flops = 0;
#pragma omp parallel num_threads(threads) reduction(+ : flops)
    {
      MultiplyAddArguments each{.iterations = iterations};
      kernels().multiply_adds(each);
      flops += each.flops;
    }
  });
  return FlopsPerSecond{static_cast<double>(flops) / time.count()};
}

Seconds empty_region(int threads) {
  constexpr int regions = 2000;
  const Seconds time = best_of(5, [&] {
    for (int i = 0; i < regions; ++i) {
#pragma omp parallel num_threads(threads)
      { asm volatile("" ::: "memory"); }
    }
  });
  return time / regions;
}

}  // namespace

Bytes cache_capacity(int threads) {
  // Each thread's mask: OpenMP may bind them to places of their own.
  std::set<int> processors;
#pragma omp parallel num_threads(threads)
  {
    cpu_set_t mine;
    if (sched_getaffinity(0, sizeof mine, &mine) == 0) {
#pragma omp critical(cache_capacity_masks)
      for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(cpu, &mine)) processors.insert(cpu);
    }
  }
  std::map<std::string, std::int64_t> caches;  // by the processors that share one
  for (const int cpu : processors) {
    std::int64_t largest = 0;
    std::string sharers;
    for (int level = 0; level < 8; ++level) {
      const std::string index =
          "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cache/index" + std::to_string(level);
      std::ifstream size(index + "/size"), shared(index + "/shared_cpu_list");
      std::int64_t number = 0;
      char unit = ' ';
      if (!(size >> number >> unit)) continue;
      number *= unit == 'M' ? 1 << 20 : 1 << 10;
      if (number <= largest) continue;
      largest = number;
      if (!(shared >> sharers)) sharers = std::to_string(cpu);
    }
    if (largest > 0) caches[sharers] = largest;
  }
  std::vector<std::int64_t> sizes;
  for (const auto& [sharers, size] : caches) sizes.push_back(size);
  std::sort(sizes.rbegin(), sizes.rend());
  sizes.resize(std::min(sizes.size(), static_cast<std::size_t>(threads)));  // a thread uses one at a time
  std::int64_t bytes = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
  if (bytes == 0) bytes = sysconf(_SC_LEVEL3_CACHE_SIZE);
  if (bytes <= 0) bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
  return Bytes{bytes > 0 ? bytes : 8 << 20};
}

int available_threads() { return std::min(omp_get_max_threads(), omp_get_num_procs()); }

Bytes available_memory() {
  std::ifstream in("/proc/meminfo");
  for (std::string key; in >> key;) {
    std::int64_t kib = 0;
    if (key == "MemAvailable:" && in >> kib) return Bytes{kib * 1024};
    in.ignore(1 << 10, '\n');
  }
  return Bytes{sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGE_SIZE)};
}

Device measure_host(int threads) {
  const std::string how = std::to_string(threads) + " threads, best of several runs on this machine";
  const Bytes cache = cache_capacity(threads);
  const ReadRates rates = read_rates(cache, threads);
  Device d;
  d.name = "host";
  d.description = "this machine's processor, measured";
  d.kind = DeviceKind::cpu;
  d.memory_capacity = {available_memory(), "MemAvailable of /proc/meminfo when this was measured"};
  d.memory_bandwidth = {rates.memory,
                        "reads of 12 times the cache (256 MiB to 4 GiB) without what they find there, " +
                            std::to_string(threads) + " threads, median of several"};
  d.cache_capacity = {cache, "last-level caches that the threads can use, as the kernel tells"};
  d.cache_bandwidth = {rates.cache, "reads of a quarter of the cache, " + std::to_string(threads) +
                                        " threads, median of several"};
  d.cache_retention = {{rates.retention, "reads of 3 times the cache beside those of 12 times"}};
  d.processors = {threads, "threads used"};
  d.clock = {clock_rate(),
             "a chain of dependent additions on one core, best of several runs on this machine"};
  for (const DType dtype : {DType::f32, DType::bf16, DType::int8}) {
    d.matrix[dtype] = {matrix_rate(dtype, threads), "a 1504 x 1700 x 1900 product, " + how};
  }
  d.widens_bf16 = !Products{}.native(DType::bf16);
  d.vector = {vector_rate(threads), "f32 multiply-adds in registers, " + how};
  d.launch = {empty_region(threads), "an empty parallel region, " + how};
  d.host_dispatch = {Seconds{0}, "nodes are called, not enqueued"};
  return d;
}

}  // namespace inferometer::cpu
