#pragma once
#include <utility>

#include "executor/cuda/status.hpp"
#include "model/units.hpp"

namespace inferometer::cuda {

/// Memory of the current device, given back at the end.
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  [[nodiscard]] static Result<DeviceBuffer> of(Bytes size) {
    DeviceBuffer buffer;
    if (size.value > 0) {
      const Done done =
          checked(cudaMalloc(&buffer.data_, static_cast<std::size_t>(size.value)), "cudaMalloc");
      if (!done) return failure(done.error());
    }
    buffer.size_ = size;
    return buffer;
  }
  DeviceBuffer(DeviceBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, Bytes{0})) {}
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~DeviceBuffer() { cudaFree(data_); }

  char* data() const { return static_cast<char*>(data_); }
  Bytes size() const { return size_; }

 private:
  void* data_ = nullptr;
  Bytes size_{0};
};

/// Lays parts one behind the other in one allocation, each at a multiple of 256 bytes, as cudaMalloc's are.
/// returns  where the part begins; `total` then ends behind it
inline Bytes place_part(Bytes& total, Bytes size) {
  const Bytes at = total;
  total += Bytes{(size.value + 255) / 256 * 256};
  return at;
}

}  // namespace inferometer::cuda
