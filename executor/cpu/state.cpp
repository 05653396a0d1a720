#include "executor/cpu/state.hpp"

#include <cstring>

namespace inferometer::cpu {

CachedState::CachedState(const Structure& structure, std::int64_t blocks, std::int64_t block_tokens)
    : blocks_(blocks), block_tokens_(block_tokens) {
  for (const StateSpec& s : structure.states) {
    const auto bytes = [&](std::int64_t width) {
      return size_of(blocks * block_tokens * s.kv_heads * width, s.dtype).value;
    };
    Layer layer{.k = AlignedBuffer(bytes(s.head_dim)), .v = AlignedBuffer(bytes(s.v_dim)), .cache = {}};
    // Latent attention reads its values from the keys: all of the latent but the rotated part, which the
    // attention node knows (see run_node).
    layer.cache = {.k = layer.k.data(),
                   .v = layer.v.data(),
                   .dtype = s.dtype,
                   .block_tokens = block_tokens,
                   .kv_heads = s.kv_heads,
                   .head_dim = s.head_dim,
                   .v_dim = s.v_dim};
    layers_.push_back(std::move(layer));
  }
}

Bytes CachedState::bytes() const {
  Bytes sum{0};
  for (const Layer& layer : layers_) sum += Bytes{layer.k.size() + layer.v.size()};
  return sum;
}

void CachedState::copy_block(std::int32_t from, std::int32_t to) {
  for (const Layer& layer : layers_) {
    const auto copy = [&](const AlignedBuffer& all, std::int64_t elements) {
      const auto bytes = size_of(elements, layer.cache.dtype).value;
      if (bytes > 0)
        std::memcpy(all.data() + to * bytes, all.data() + from * bytes, static_cast<std::size_t>(bytes));
    };
    copy(layer.k, layer.cache.k_block());
    copy(layer.v, layer.cache.v_block());
  }
}

}  // namespace inferometer::cpu
