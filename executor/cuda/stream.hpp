#pragma once
#include <memory>

#include "executor/cuda/status.hpp"
#include "model/units.hpp"

namespace inferometer::cuda {

struct DestroyStream {
  void operator()(cudaStream_t stream) const { cudaStreamDestroy(stream); }
};
struct DestroyEvent {
  void operator()(cudaEvent_t event) const { cudaEventDestroy(event); }
};
using Stream = std::unique_ptr<std::remove_pointer_t<cudaStream_t>, DestroyStream>;
using Event = std::unique_ptr<std::remove_pointer_t<cudaEvent_t>, DestroyEvent>;

[[nodiscard]] inline Result<Stream> make_stream() {
  cudaStream_t stream = nullptr;
  if (const Done done = checked(cudaStreamCreate(&stream), "cudaStreamCreate"); !done)
    return failure(done.error());
  return Stream{stream};
}
[[nodiscard]] inline Result<Event> make_event() {
  cudaEvent_t event = nullptr;
  if (const Done done = checked(cudaEventCreate(&event), "cudaEventCreate"); !done)
    return failure(done.error());
  return Event{event};
}

/// Between two events that have happened.
inline Nanoseconds between(cudaEvent_t start, cudaEvent_t end) {
  float milliseconds = 0;
  cudaEventElapsedTime(&milliseconds, start, end);
  return Nanoseconds{static_cast<std::int64_t>(static_cast<double>(milliseconds) * 1e6)};
}

}  // namespace inferometer::cuda
