#pragma once
#include <cuda.h>

#include <optional>

#include "executor/cuda/cublaslt.hpp"
#include "executor/cuda/kernels/launch.hpp"
#include "executor/cuda/kernels/products_fp8.hpp"

namespace inferometer::cuda {

/// A product as our own kernels take it.
FewTokensProduct few_bf16(const Product& p);
Fp8Product few_fp8(const Product& p);

/// What kernels of products need beside their operands.
struct ProductTools {
  CublasLt& library;
  float* partial = nullptr;        ///< streamed_partials() floats
  std::uint32_t* flags = nullptr;  ///< [processors], zero between kernels
};

/// y = x Wᵀ by the kernel of a choice, which fits.
/// w_map: boxes of streamed_rows of W; needed by streamed
[[nodiscard]] Done launch_product(Product p, const ProductChoice& choice,
                                  const std::optional<CUtensorMap>& w_map, const ProductTools& tools,
                                  const Queue& queue);

}  // namespace inferometer::cuda
