#pragma once
#include <vector>

#include "executor/cuda/device_buffer.hpp"
#include "executor/cuda/kernels/kernels.hpp"
#include "executor/pass/pass.hpp"
#include "model/structure.hpp"

namespace inferometer::cuda {

/// The paged KV cache of all layers on the device: the same block ids in each, and one block more that the
/// sequences which pad a recorded batch write to.
class CachedState {
 public:
  CachedState() = default;
  /// Zeroed: what no sequence has written is finite.
  [[nodiscard]] static Result<CachedState> of(const Structure& structure, std::int64_t blocks,
                                              std::int64_t block_tokens);

  const KvCache& layer(std::int64_t index) const { return layers_[static_cast<std::size_t>(index)]; }
  CacheShape shape() const { return shape_; }
  std::int32_t padding_block() const { return static_cast<std::int32_t>(shape_.blocks); }
  Bytes bytes() const { return memory_.size(); }
  /// Copies one block in every layer.
  void copy_block(std::int32_t from, std::int32_t to, cudaStream_t stream) const;

 private:
  DeviceBuffer memory_;
  std::vector<KvCache> layers_;
  CacheShape shape_;
};

}  // namespace inferometer::cuda
