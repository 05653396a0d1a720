#pragma once
#include "executor/cpu/arguments.hpp"
#include "executor/cpu/isa/vector.hpp"

namespace inferometer::cpu::INFEROMETER_ISA {

/// Elements below which one thread does the work: waking the others takes about as long (measured 0.6-2 us).
inline constexpr std::int64_t serial_elements = 16384;

template <class T>
inline const T* row(In x, std::int64_t i) {
  return static_cast<const T*>(x.data) + i * x.stride;
}
template <class T>
inline T* row(Out x, std::int64_t i) {
  return static_cast<T*>(x.data) + i * x.stride;
}
/// Calls f(T{}) with the storage type of `dtype`.
template <class F>
inline void with_storage(DType dtype, F f) {
  dtype == DType::bf16 ? f(bf16{}) : f(float{});
}
/// Calls f(first, n) for runs of up to `lanes` elements.
template <class F>
inline void runs(std::int64_t width, F f) {
  for (std::int64_t i = 0; i < width; i += lanes) f(i, width - i);
}
/// Calls f(i) for each row, on all threads when there is enough to do.
template <class F>
inline void rows(std::int64_t count, std::int64_t width, F f) {
#pragma omp parallel for schedule(static) if (count > 1 && count * width > serial_elements)
  for (std::int64_t i = 0; i < count; ++i) f(i);
}

template <class T>
inline void normalize(const T* x, const T* w, T* y, std::int64_t width, float eps) {
  Lanes squares{};
  runs(width, [&](std::int64_t i, std::int64_t n) {
    const Lanes v = load_upto(x + i, n);
    squares += v * v;
  });
  const float scale = 1.0F / __builtin_sqrtf(sum(squares) / static_cast<float>(width) + eps);
  runs(width, [&](std::int64_t i, std::int64_t n) {
    store_upto(y + i, load_upto(x + i, n) * scale * load_upto(w + i, n), n);
  });
}

inline void rms_norm(const RmsNormArguments& a) {
  with_storage(a.dtype, [&]<class T>(T) {
    rows(a.tokens, a.groups * a.width, [&](std::int64_t t) {
      for (std::int64_t g = 0; g < a.groups; ++g) {
        const std::int64_t at = g * a.width;
        normalize(row<T>(a.x, t) + at, static_cast<const T*>(a.w), row<T>(a.y, t) + at, a.width, a.eps);
      }
    });
  });
}

inline void add_rms_norm(const AddRmsNormArguments& a) {
  with_storage(a.dtype, [&]<class T>(T) {
    rows(a.tokens, a.width, [&](std::int64_t t) {
      const std::int64_t from = a.rows != nullptr ? a.rows[t] : t;
      const T *x = row<T>(a.x, from), *r = row<T>(a.residual, from);
      T* total = row<T>(a.sum, t);
      runs(a.width, [&](std::int64_t i, std::int64_t n) {
        store_upto(total + i, load_upto(x + i, n) + load_upto(r + i, n), n);
      });
      normalize<T>(total, static_cast<const T*>(a.w), row<T>(a.y, t), a.width, a.eps);
    });
  });
}

inline void add(const AddArguments& a) {
  with_storage(a.dtype, [&]<class T>(T) {
    rows(a.tokens, a.width, [&](std::int64_t t) {
      const T *x = row<T>(a.x, t), *r = row<T>(a.r, t);
      T* y = row<T>(a.y, t);
      runs(a.width, [&](std::int64_t i, std::int64_t n) {
        store_upto(y + i, load_upto(x + i, n) + load_upto(r + i, n), n);
      });
    });
  });
}

template <class T>
inline void rotate(T* head, const float* cosines, std::int64_t half, bool interleaved) {
  const float* sines = cosines + half;
  if (!interleaved) {
    runs(half, [&](std::int64_t i, std::int64_t n) {
      const Lanes c = load_upto(cosines + i, n), s = load_upto(sines + i, n);
      const Lanes a = load_upto(head + i, n), b = load_upto(head + half + i, n);
      store_upto(head + i, a * c - b * s, n);
      store_upto(head + half + i, a * s + b * c, n);
    });
    return;
  }
  for (std::int64_t i = 0; i < half; ++i) {
    const float a = to_float(head[2 * i]), b = to_float(head[2 * i + 1]);
    head[2 * i] = from_float<T>(a * cosines[i] - b * sines[i]);
    head[2 * i + 1] = from_float<T>(a * sines[i] + b * cosines[i]);
  }
}

inline void rope(const RopeArguments& a) {
  with_storage(a.dtype, [&]<class T>(T) {
    rows(a.tokens, (a.q_heads + a.k_heads) * a.rotary, [&](std::int64_t t) {
      const float* angles = a.table + a.positions[t] * a.rotary;
      for (std::int64_t h = 0; h < a.q_heads; ++h) {
        rotate(row<T>(a.q, t) + h * a.q_head_stride, angles, a.rotary / 2, a.interleaved);
      }
      for (std::int64_t h = 0; h < a.k_heads; ++h) {
        rotate(row<T>(a.k, t) + h * a.k_head_stride, angles, a.rotary / 2, a.interleaved);
      }
    });
  });
}

inline Lanes sigmoid(Lanes x) { return 1.0F / (1.0F + exp(-x)); }
inline Lanes silu(Lanes gate, Lanes up) { return gate * sigmoid(gate) * up; }
/// (1 + tanh(u)) / 2 = sigmoid(2u)
inline Lanes gelu_tanh(Lanes gate, Lanes up) {
  return gate * sigmoid(1.5957691216F * (gate + 0.044715F * gate * gate * gate)) * up;
}
inline Lanes clamped_silu(Lanes gate, Lanes up) {
  const Lanes g = min(gate, all(7.0F)), u = min(max(up, all(-7.0F)), all(7.0F));
  return g * sigmoid(1.702F * g) * (u + 1.0F);
}

template <class Act>
inline void gate_rows(const GatedArguments& a, Act act) {
  with_storage(a.dtype, [&]<class T>(T) {
    rows(a.tokens, a.width, [&](std::int64_t t) {
      const T *gate = row<T>(a.gate, t), *up = row<T>(a.up, t);
      T* y = row<T>(a.y, t);
      runs(a.width, [&](std::int64_t i, std::int64_t n) {
        store_upto(y + i, act(load_upto(gate + i, n), load_upto(up + i, n)), n);
      });
    });
  });
}
inline void gated(const GatedArguments& a) {
  switch (a.activation) {
    case Activation::silu:
      return gate_rows(a, [](Lanes gate, Lanes up) { return silu(gate, up); });
    case Activation::gelu_tanh:
      return gate_rows(a, [](Lanes gate, Lanes up) { return gelu_tanh(gate, up); });
    case Activation::clamped_silu:
      return gate_rows(a, [](Lanes gate, Lanes up) { return clamped_silu(gate, up); });
  }
}

}  // namespace inferometer::cpu::INFEROMETER_ISA
