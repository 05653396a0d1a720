#include "executor/cuda/state.hpp"

namespace inferometer::cuda {

Result<CachedState> CachedState::of(const Structure& structure, std::int64_t blocks,
                                    std::int64_t block_tokens) {
  CachedState state;
  state.shape_ = {blocks, block_tokens};
  Bytes total{0};
  const auto reserve = [&](const StateSpec& s, std::int64_t width) {
    const Bytes start = total;
    const std::int64_t bytes = size_of((blocks + 1) * block_tokens * s.kv_heads * width, s.dtype).value;
    total += Bytes{(bytes + 127) / 128 * 128};
    return start;
  };
  std::vector<std::pair<Bytes, Bytes>> starts;
  for (const StateSpec& s : structure.states)
    starts.emplace_back(reserve(s, s.head_dim), reserve(s, s.v_dim));
  Result<DeviceBuffer> memory = DeviceBuffer::of(total);
  if (!memory) return failure(memory.error());
  state.memory_ = std::move(*memory);
  if (const Done done = checked(cudaMemset(state.memory_.data(), 0, static_cast<std::size_t>(total.value)),
                                "clearing the cache");
      !done)
    return failure(done.error());
  for (std::size_t i = 0; i < structure.states.size(); ++i) {
    const StateSpec& s = structure.states[i];
    const auto at = [&](Bytes start) { return state.memory_.data() + start.value; };
    state.layers_.push_back({.k = at(starts[i].first),
                             .v = at(starts[i].second),
                             .element = s.dtype == DType::fp8 ? CacheElement::fp8 : CacheElement::bf16,
                             .block_tokens = static_cast<std::int32_t>(block_tokens),
                             .kv_heads = static_cast<std::int32_t>(s.kv_heads),
                             .head_dim = static_cast<std::int32_t>(s.head_dim),
                             .v_dim = static_cast<std::int32_t>(s.v_dim)});
  }
  return state;
}

void CachedState::copy_block(std::int32_t from, std::int32_t to, cudaStream_t stream) const {
  for (const KvCache& layer : layers_) {
    const std::int64_t each = layer.element == CacheElement::fp8 ? sizeof(Fp8) : sizeof(Bf16);
    const auto copy = [&](void* all, std::int32_t width) {
      const std::int64_t n = static_cast<std::int64_t>(layer.block_tokens) * layer.kv_heads * width * each;
      char* blocks = static_cast<char*>(all);
      cudaMemcpyAsync(blocks + to * n, blocks + from * n, static_cast<std::size_t>(n),
                      cudaMemcpyDeviceToDevice, stream);
    };
    copy(layer.k, layer.head_dim);
    copy(layer.v, layer.v_dim);
  }
}

}  // namespace inferometer::cuda
