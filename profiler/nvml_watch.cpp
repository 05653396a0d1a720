#include "profiler/nvml_watch.hpp"

namespace inferometer {

void NvmlWatch::begin() {
  if (!device_) return;
  energy_before_ = device_->energy();
  since_ = std::chrono::steady_clock::now();
  thread_ = std::jthread([this](const std::stop_token& stopped) { sample_until(stopped); });
}

/// One sample more at the end, so that even the shortest stretch has one: the clocks have not changed yet.
void NvmlWatch::sample_until(const std::stop_token& stopped) {
  std::mutex mutex;
  std::condition_variable_any stop;
  std::unique_lock lock(mutex);
  do {
    stop.wait_for(lock, stopped, interval, [] { return false; });
    samples_.push_back(device_->sample());
  } while (!stopped.stop_requested());
}

void NvmlWatch::end() {
  if (!device_) return;
  thread_ = {};  // stops it and waits for it
  energy_.watched += std::chrono::steady_clock::now() - since_;
  ++energy_.stretches;
  const std::optional<Joules> after = device_->energy();
  if (energy_before_ && after) energy_.used += *after - *energy_before_;
}

RunConditions NvmlWatch::conditions() const {
  if (!device_) return {.not_available = device_.error().front().message};
  return conditions_of(samples_, device_->limits(), energy_before_ ? std::optional{energy_} : std::nullopt,
                       device_->refused());
}

}  // namespace inferometer
