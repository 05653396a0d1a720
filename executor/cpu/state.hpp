#pragma once
#include <vector>

#include "executor/cpu/aligned_buffer.hpp"
#include "executor/cpu/kv_layout.hpp"
#include "model/step.hpp"
#include "model/structure.hpp"

namespace inferometer::cpu {

/// The paged KV cache of all layers: the same block ids in each.
class CachedState {
 public:
  CachedState() = default;
  CachedState(const Structure& structure, std::int64_t blocks, std::int64_t block_tokens);

  const KvCache& layer(std::int64_t index) const { return layers_[static_cast<std::size_t>(index)].cache; }
  std::int64_t blocks() const { return blocks_; }
  std::int64_t block_tokens() const { return block_tokens_; }
  Bytes bytes() const;
  /// Copies one block in every layer.
  void copy_block(std::int32_t from, std::int32_t to);

 private:
  struct Layer {
    AlignedBuffer k, v;
    KvCache cache;
  };
  std::vector<Layer> layers_;
  std::int64_t blocks_ = 0, block_tokens_ = 0;
};

}  // namespace inferometer::cpu
