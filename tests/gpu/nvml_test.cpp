#include <chrono>

#include "executor/cuda/kernels/ceilings.hpp"
#include "profiler/nvml_watch.hpp"
#include "tests/gpu/device.hpp"

namespace inferometer::cuda {
namespace {

using Clock = std::chrono::steady_clock;

/// The card under a second of reading memory.
struct GpuPower : OnGpu {
  void SetUp() override {
    OnGpu::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    card = NvmlDevice::open(gpu.bus);
    ASSERT_TRUE(card) << to_string(card.error());
    EXPECT_EQ(card->refused(), "");
  }
  template <class F>
  void load_for(std::chrono::milliseconds time, F meanwhile) {
    auto memory = DeviceBuffer::of(Bytes{std::int64_t{1} << 30});
    ASSERT_TRUE(memory);
    for (const auto end = Clock::now() + time; Clock::now() < end;) {
      read_all(memory->data(), memory->size().value, memory->data(), queue);
      meanwhile();
      ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    }
  }
  Result<NvmlDevice> card = failure("not asked");
};

TEST_F(GpuPower, IsSeenWithClocksAndEnergy) {
  load_for(std::chrono::milliseconds{500}, [] {});
  NvmlWatch watch(card);
  const auto start = Clock::now();
  watch.begin();
  load_for(std::chrono::milliseconds{1000}, [] {});
  watch.end();
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const RunConditions c = watch.conditions();
  EXPECT_GE(c.samples, 20);
  ASSERT_TRUE(c.mean_power && c.power_limit && c.energy && c.mean_sm_clock && c.top_sm_clock);
  ASSERT_TRUE(c.mean_memory_clock && c.most_temperature);
  EXPECT_GT(*c.mean_power, Watts{50});
  EXPECT_LT(*c.most_power, Watts{1.5 * c.power_limit->value});
  EXPECT_LE(*c.mean_sm_clock, *c.top_sm_clock);
  EXPECT_GT(*c.mean_sm_clock, Hertz{300e6});
  // One counts what the other samples.
  EXPECT_NEAR(c.energy->value / seconds, c.mean_power->value, 0.25 * c.mean_power->value);
}

TEST_F(GpuPower, TheEnergyCounterMovesInStepsThatStretchesAreLongerThan) {
  std::vector<Clock::time_point> steps;
  auto before = card->energy();
  load_for(std::chrono::milliseconds{1000}, [&] {
    if (const auto now = card->energy(); now != before) {
      before = now;
      steps.push_back(Clock::now());
    }
  });
  ASSERT_GE(steps.size(), 2U);
  const Seconds each = Seconds{steps.back() - steps.front()} / static_cast<double>(steps.size() - 1);
  RecordProperty("step_ms", std::to_string(each.count() * 1e3));
  EXPECT_LE(2 * each, shortest_for_energy * 1.1);
}

}  // namespace
}  // namespace inferometer::cuda
