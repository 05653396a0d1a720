#pragma once
#include "executor/cuda/launch_product.hpp"

namespace inferometer::cuda {

/// A Bf16Product or an Fp8Product as launches take it.
template <class P>
Product product_of(const P& a) {
  Product p{.x = a.x,
            .w = a.w,
            .y = a.y,
            .tokens = a.tokens,
            .in = a.in,
            .out = a.out,
            .x_stride = a.x_stride,
            .y_stride = a.y_stride,
            .y_f32 = a.y_f32};
  if constexpr (requires { a.x_scale; }) {
    p.x_scale = a.x_scale;
    p.w_scale = a.w_scale;
  }
  return p;
}

}  // namespace inferometer::cuda
