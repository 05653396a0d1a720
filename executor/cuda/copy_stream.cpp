#include "executor/cuda/copy_stream.hpp"

#include "executor/cuda/kernels/copy.hpp"

namespace inferometer::cuda {

Result<CopyStream> CopyStream::of(const CopyBeside& most, const Gpu& gpu) {
  CopyStream copies;
  if (!most) return copies;
  copies.most_ = most;
  copies.processors_ = gpu.processors;
  for (DeviceBuffer& buffer : copies.on_device_) {
    auto made = DeviceBuffer::of(most.bytes);
    if (!made) return failure(made.error());
    buffer = std::move(*made);
    if (!most.within_device()) break;
  }
  char *first = copies.on_device_[0].data(), *second = copies.on_device_[1].data();
  if (!most.within_device()) {
    void* pinned = nullptr;
    if (const Done done = checked(cudaMallocHost(&pinned, static_cast<std::size_t>(most.bytes.value)),
                                  "pinned host memory for a copy beside the steps");
        !done)
      return failure(done.error());
    copies.on_host_.reset(static_cast<char*>(pinned));
    second = copies.on_host_.get();
  }
  const bool inwards = most.direction == CopyDirection::from_host;
  copies.from_ = inwards ? second : first;
  copies.to_ = inwards ? first : second;
  cudaStream_t stream = nullptr;
  if (const Done done =
          checked(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
      !done)
    return failure(done.error());
  copies.stream_.reset(stream);
  Result<Event> end = make_event();
  if (!end) return failure(end.error());
  copies.end_ = std::move(*end);
  return copies;
}

Done CopyStream::begin(const CopyBeside& copy, cudaEvent_t start) {
  if (const Done done = checked(cudaStreamWaitEvent(stream_.get(), start), "cudaStreamWaitEvent"); !done)
    return done;
  if (copy.within_device()) {
    copy_within_device(from_, to_, copy.bytes.value, {.stream = stream_.get(), .processors = processors_});
  } else {
    cudaMemcpyAsync(to_, from_, static_cast<std::size_t>(copy.bytes.value), cudaMemcpyDefault, stream_.get());
  }
  if (const Done done = checked(cudaGetLastError(), "starting a copy beside a step"); !done) return done;
  return checked(cudaEventRecord(end_.get(), stream_.get()), "cudaEventRecord");
}

Result<Nanoseconds> CopyStream::wait(cudaEvent_t start) {
  if (const Done done = checked(cudaEventSynchronize(end_.get()), "a copy beside a step"); !done)
    return failure(done.error());
  return between(start, end_.get());
}

}  // namespace inferometer::cuda
