#include "executor/cuda/kernels/device.cuh"

// Attention without matrix units: the portable kernel, and the unfused one that tiling is measured against.
namespace inferometer::cuda {
namespace {

constexpr int threads = 128, most_values = 16;  // values of up to 32 * 16 elements

/// Where the keys and values of one head of a sequence lie.
template <class Element>
struct Head {
  const AttentionArguments& a;
  const std::int32_t* table;
  int kv_head;

  __device__ const Element* block(const void* cache, int key, int width) const {
    const std::int64_t b = table[key / a.cache.block_tokens];
    return static_cast<const Element*>(cache) +
           (b * a.cache.kv_heads + kv_head) * a.cache.block_tokens * width;
  }
  __device__ float k(int key, int d) const {
    const int bt = a.cache.block_tokens, width = a.cache.head_dim;
    return to_float(block(a.cache.k, key, width)[cache_place<Element>(key % bt, d, width, bt)]);
  }
  __device__ float v(int key, int d) const {
    const int bt = a.cache.block_tokens, width = a.cache.v_dim;
    return to_float(block(a.cache.v, key, width)[cache_place<Element>(key % bt, d, width, bt)]);
  }
};

/// A warp per new token and head: online softmax, one key after another.
template <class Element>
__global__ void __launch_bounds__(threads) one_row(AttentionArguments a) {
  take_turn();
  const int lane = threadIdx.x % 32, head = blockIdx.y;
  const int token = static_cast<int>(blockIdx.x) * (threads / 32) + static_cast<int>(threadIdx.x) / 32;
  const Sequence s = a.sequences[blockIdx.z];
  if (token >= s.fresh) return;
  const Head<Element> source{a, a.blocks + s.table, head / (a.heads / a.cache.kv_heads)};
  const Bf16* q = a.q.data + (s.row + token) * a.q.stride + head * a.cache.head_dim;
  const int last = s.cached + token, first = a.window > 0 && last >= a.window ? last - a.window + 1 : 0;
  float o[most_values] = {}, top = -INFINITY, sum = 0;
  if (a.sinks != nullptr) {
    top = a.sinks[head];
    sum = 1;
  }
  for (int key = first; key <= last; ++key) {
    float dot = 0;
    for (int d = lane; d < a.cache.head_dim; d += 32) dot += to_float(q[d]) * source.k(key, d);
    const float x = warp_sum(dot) * a.scale, most = fmaxf(top, x);
    const float shrink = expf(top - most), p = expf(x - most);
    sum = sum * shrink + p;
    top = most;
#pragma unroll
    for (int i = 0; i < most_values; ++i) {
      const int d = lane + 32 * i;
      if (d < a.cache.v_dim) o[i] = o[i] * shrink + p * source.v(key, d);
    }
  }
  Bf16* y = a.y.data + (s.row + token) * a.y.stride + head * a.cache.v_dim;
#pragma unroll
  for (int i = 0; i < most_values; ++i) {
    const int d = lane + 32 * i;
    if (d < a.cache.v_dim) y[d] = to_bf16(o[i] / sum);
  }
}

/// scores[row, key] for row = head * fresh + token; masked keys are -infinity.
template <class Element>
__global__ void __launch_bounds__(threads) score(AttentionArguments a, Sequence s, float* scores) {
  take_turn();
  const int total = s.cached + s.fresh, row = blockIdx.x, head = row / s.fresh, token = row % s.fresh;
  const Head<Element> source{a, a.blocks + s.table, head / (a.heads / a.cache.kv_heads)};
  const Bf16* q = a.q.data + (s.row + token) * a.q.stride + head * a.cache.head_dim;
  const int last = s.cached + token, first = a.window > 0 && last >= a.window ? last - a.window + 1 : 0;
  for (int key = threadIdx.x; key < total; key += threads) {
    float dot = 0;
    for (int d = 0; d < a.cache.head_dim; ++d) dot += to_float(q[d]) * source.k(key, d);
    scores[static_cast<std::int64_t>(row) * total + key] =
        key >= first && key <= last ? dot * a.scale : -INFINITY;
  }
}

/// Each row of scores becomes probabilities, by a warp.
__global__ void __launch_bounds__(threads) normalise(AttentionArguments a, Sequence s, float* scores) {
  take_turn();
  const int total = s.cached + s.fresh, lane = threadIdx.x % 32;
  const int row = static_cast<int>(blockIdx.x) * (threads / 32) + static_cast<int>(threadIdx.x) / 32;
  if (row >= a.heads * s.fresh) return;
  float* p = scores + static_cast<std::int64_t>(row) * total;
  const float sink = a.sinks == nullptr ? -INFINITY : a.sinks[row / s.fresh];
  float top = sink, sum = 0;
  for (int key = lane; key < total; key += 32) top = fmaxf(top, p[key]);
  top = warp_max(top);
  for (int key = lane; key < total; key += 32) sum += p[key] = expf(p[key] - top);
  sum = warp_sum(sum) + expf(sink - top);
  for (int key = lane; key < total; key += 32) p[key] /= sum;
}

template <class Element>
__global__ void __launch_bounds__(threads) weigh(AttentionArguments a, Sequence s, const float* scores) {
  take_turn();
  const int total = s.cached + s.fresh, row = blockIdx.x, head = row / s.fresh, token = row % s.fresh;
  const Head<Element> source{a, a.blocks + s.table, head / (a.heads / a.cache.kv_heads)};
  const float* p = scores + static_cast<std::int64_t>(row) * total;
  for (int d = threadIdx.x; d < a.cache.v_dim; d += threads) {
    float y = 0;
    for (int key = 0; key < total; ++key) y += p[key] * source.v(key, d);
    a.y.data[(s.row + token) * a.y.stride + head * a.cache.v_dim + d] = to_bf16(y);
  }
}

}  // namespace

void attention_portable(const AttentionArguments& a, std::int64_t count, std::int64_t longest_fresh,
                        const Queue& queue) {
  launch(queue, a.cache.element == CacheElement::fp8 ? &one_row<Fp8> : &one_row<Bf16>,
         dim3(blocks_for(longest_fresh, threads / 32), static_cast<unsigned>(a.heads),
              static_cast<unsigned>(count)),
         threads, 0, a);
}

void attention_naive(const AttentionArguments& a, const Sequence& s, float* scores, const Queue& queue) {
  const unsigned rows = blocks_for(static_cast<std::int64_t>(a.heads) * s.fresh, 1);
  const bool fp8 = a.cache.element == CacheElement::fp8;
  launch(queue, fp8 ? &score<Fp8> : &score<Bf16>, rows, threads, 0, a, s, scores);
  launch(queue, &normalise, blocks_for(rows, threads / 32), threads, 0, a, s, scores);
  launch(queue, fp8 ? &weigh<Fp8> : &weigh<Bf16>, rows, threads, 0, a, s, static_cast<const float*>(scores));
}

}  // namespace inferometer::cuda
