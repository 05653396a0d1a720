#pragma once
#include <cuda.h>

#include "executor/cuda/cublaslt.hpp"
#include "executor/cuda/kernels/int4.hpp"
#include "executor/cuda/kernels/launch.hpp"
#include "executor/cuda/kernels/products_fp8.hpp"

namespace inferometer::cuda {

/// A product as our own kernels take it.
Bf16Product in_bf16(const Product& p);
Fp8Product in_fp8(const Product& p);

/// That of x for product_int4_streamed(); columns a multiple of int4_streamed_columns
[[nodiscard]] Result<CUtensorMap> streamed_int4_inputs(const void* x, std::int64_t tokens,
                                                       std::int64_t columns, std::int64_t stride);

/// y = x Wᵀ by the kernel of a choice, which fits.
[[nodiscard]] Done launch_product(Product p, const ProductChoice& choice, CublasLt& library,
                                  const Queue& queue);
/// The same by our kernel for few tokens, with what it does with its sums.   W [2 p.out, p.in] where gated
/// requires y not in f32 where gated, and y_scale there only; norms of bf16 only; where norms.out an empty
/// epilogue, y not in f32 and rows of whole pairs, at multiples of 4 bytes
[[nodiscard]] Done stream_product(const Product& p, const Epilogue& epilogue, const Norms& norms,
                                  const Queue& queue);
/// Of many tokens with the gated activation.   requires epilogue.gated; W [2 p.out, p.in]
[[nodiscard]] Done gated_product(const Product& p, const Epilogue& epilogue, const Queue& queue);
/// By our kernel for few tokens of int4 weights.   requires p.in % int4_streamed_columns == 0; no y_scale;
/// where gated p.out % 32 == 0 and no norms.out
[[nodiscard]] Done stream_int4_product(const Product& p, const Epilogue& epilogue, const Norms& norms,
                                       const Int4Stream& w, const Queue& queue);

}  // namespace inferometer::cuda
