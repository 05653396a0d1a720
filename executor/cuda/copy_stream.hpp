#pragma once
#include "executor/cuda/device_buffer.hpp"
#include "executor/cuda/gpu.hpp"
#include "executor/cuda/stream.hpp"
#include "model/copy_beside.hpp"

namespace inferometer::cuda {

/// A second stream with the buffers of the copies that run on it. Within the device our own kernel copies,
/// over the host link a copy engine does.
class CopyStream {
 public:
  CopyStream() = default;
  /// most: the largest copy, in the only direction, that there will be room for; nothing is made for none
  [[nodiscard]] static Result<CopyStream> of(const CopyBeside& most, const Gpu& gpu);

  bool has_room(const CopyBeside& copy) const {
    return !copy || (copy.direction == most_.direction && copy.bytes <= most_.bytes);
  }
  /// Enqueues a copy that there is room for; it begins once `start` has happened.
  [[nodiscard]] Done begin(const CopyBeside& copy, cudaEvent_t start);
  /// Waits for the copy that was begun last.   returns  the time from `start` to its end
  [[nodiscard]] Result<Nanoseconds> wait(cudaEvent_t start);

  Bytes on_device() const { return on_device_[0].size() + on_device_[1].size(); }
  char* from() const { return from_; }
  char* to() const { return to_; }

 private:
  struct FreePinned {
    void operator()(char* p) const { cudaFreeHost(p); }
  };
  CopyBeside most_;
  int processors_ = 0;
  DeviceBuffer on_device_[2];
  std::unique_ptr<char, FreePinned> on_host_;
  char *from_ = nullptr, *to_ = nullptr;
  Stream stream_;
  Event end_;
};

}  // namespace inferometer::cuda
