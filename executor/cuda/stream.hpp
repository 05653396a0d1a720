#pragma once
#include <memory>
#include <type_traits>

#include "executor/cuda/status.hpp"
#include "model/units.hpp"

namespace inferometer::cuda {

struct FreeStream {
  void operator()(cudaStream_t stream) const { cudaStreamDestroy(stream); }
};
struct FreeEvent {
  void operator()(cudaEvent_t event) const { cudaEventDestroy(event); }
};
using Stream = std::unique_ptr<std::remove_pointer_t<cudaStream_t>, FreeStream>;
using Event = std::unique_ptr<std::remove_pointer_t<cudaEvent_t>, FreeEvent>;

/// An event that keeps its time.
[[nodiscard]] inline Result<Event> make_event() {
  cudaEvent_t made = nullptr;
  if (const Done done = checked(cudaEventCreate(&made), "cudaEventCreate"); !done)
    return failure(done.error());
  return Event{made};
}

/// Between two events that have happened.
inline Nanoseconds between(cudaEvent_t start, cudaEvent_t end) {
  float milliseconds = 0;
  cudaEventElapsedTime(&milliseconds, start, end);
  return Nanoseconds{static_cast<std::int64_t>(static_cast<double>(milliseconds) * 1e6)};
}

}  // namespace inferometer::cuda
