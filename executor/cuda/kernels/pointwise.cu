#include <type_traits>

#include "executor/cuda/kernels/fp8.cuh"

namespace inferometer::cuda {
namespace {

constexpr int threads = 256;

struct AddTo {
  __device__ float operator()(float x, float r) const { return x + r; }
};
template <Gate Kind>
struct Activate {
  __device__ float operator()(float gate, float up) const {
    if constexpr (Kind == Gate::silu) return gate_silu(gate, up);
    if constexpr (Kind == Gate::gelu_tanh) {
      const float inner = 0.7978845608028654F * (gate + 0.044715F * gate * gate * gate);
      return 0.5F * gate * (1.0F + tanhf(inner)) * up;
    }
    // clamp 7, alpha 1.702: the gpt-oss reference
    const float g = fminf(gate, 7.0F), u = fminf(fmaxf(up, -7.0F), 7.0F);
    return g / (1.0F + __expf(-1.702F * g)) * (u + 1.0F);
  }
};

struct One {
  Bf16 v[1];
};

/// y = f(a, b), element by element; where `quantized` is given, there and in e4m3.
template <int Each, class F>
__global__ void __launch_bounds__(threads)
    combine(In a, In b, Out y, QuantizedOut quantized, std::int64_t tokens, std::int64_t width, F f) {
  take_turn();
  const std::int64_t pieces = width / Each;
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (index >= tokens * pieces) return;
  const std::int64_t row = index / pieces, at = index % pieces * Each;
  using Piece = std::conditional_t<Each == 8, Eight, One>;
  const Piece p = *reinterpret_cast<const Piece*>(a.data + row * a.stride + at);
  const Piece q = *reinterpret_cast<const Piece*>(b.data + row * b.stride + at);
  Piece out;
  if constexpr (Each == 8) {
    out = each(p, q, f);
  } else {
    out.v[0] = to_bf16(f(to_float(p.v[0]), to_float(q.v[0])));
  }
  if (quantized.data == nullptr) {
    *reinterpret_cast<Piece*>(y.data + row * y.stride + at) = out;
    return;
  }
  const float factor = factor_of(quantized.scale);
  std::uint8_t* bytes = quantized.data + row * quantized.stride + at;
  if constexpr (Each == 8) {
    *reinterpret_cast<uint2*>(bytes) = to_fp8(out, factor);
  } else {
    *bytes = to_fp8(to_float(out.v[0]) * factor);
  }
}

template <class F>
void combine_rows(In a, In b, Out y, const QuantizedOut& q, std::int64_t tokens, std::int64_t width, F f,
                  const Queue& queue) {
  if (vectors(a, width) && vectors(b, width) && (q.data != nullptr ? vectors(q) : vectors(y, width))) {
    launch(queue, &combine<8, F>, blocks_for(tokens * width / 8, threads), threads, 0, a, b, y, q, tokens,
           width, f);
  } else {
    launch(queue, &combine<1, F>, blocks_for(tokens * width, threads), threads, 0, a, b, y, q, tokens, width,
           f);
  }
}

template <class T>
__global__ void __launch_bounds__(threads) bias(AddBiasArguments a) {
  take_turn();
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (index >= a.tokens * a.width) return;
  const std::int64_t row = index / a.width, at = index % a.width;
  T& y = static_cast<T*>(a.y)[row * a.stride + at];
  if constexpr (sizeof(T) == 4) {
    y += a.b[at];
  } else {
    y = to_bf16(to_float(y) + a.b[at]);
  }
}

}  // namespace

void add(const AddArguments& a, const Queue& queue) {
  combine_rows(a.x, a.r, a.y, {}, a.tokens, a.width, AddTo{}, queue);
}

void gated(const GatedArguments& a, const Queue& queue) {
  switch (a.activation) {
    case Gate::silu:
      return combine_rows(a.gate, a.up, a.y, a.q, a.tokens, a.width, Activate<Gate::silu>{}, queue);
    case Gate::gelu_tanh:
      return combine_rows(a.gate, a.up, a.y, a.q, a.tokens, a.width, Activate<Gate::gelu_tanh>{}, queue);
    case Gate::clamped_silu:
      return combine_rows(a.gate, a.up, a.y, a.q, a.tokens, a.width, Activate<Gate::clamped_silu>{}, queue);
  }
}

void add_bias(const AddBiasArguments& a, const Queue& queue) {
  const unsigned blocks = blocks_for(a.tokens * a.width, threads);
  launch(queue, a.f32 ? &bias<float> : &bias<Bf16>, blocks, threads, 0, a);
}

}  // namespace inferometer::cuda
