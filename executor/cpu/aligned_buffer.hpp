#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "model/result.hpp"

namespace inferometer::cpu {

/// Bytes aligned to 64, set to zero by the threads that will use them (a page lies where it is first
/// touched).
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(std::int64_t bytes) : size_(bytes) {
    const auto whole = static_cast<std::size_t>((bytes + 63) / 64 * 64);
    if (whole == 0) return;
    data_.reset(static_cast<char*>(std::aligned_alloc(64, whole)));
    require(data_ != nullptr, "memory that the budget promised");
#pragma omp parallel for schedule(static)
    for (std::size_t i = 0; i < whole; ++i) data_.get()[i] = 0;
  }
  char* data() const { return data_.get(); }
  std::int64_t size() const { return size_; }

 private:
  struct Free {
    void operator()(char* p) const { std::free(p); }
  };
  std::unique_ptr<char, Free> data_;
  std::int64_t size_ = 0;
};

}  // namespace inferometer::cpu
