#include "executor/cuda/product_choice.hpp"

#include "executor/cuda/kernels/products_fp8.hpp"

namespace inferometer::cuda {

ProductKernel choose(const Linear& op, const ProductLimits& limits) {
  const bool fp8 = op.w.dtype == DType::fp8;
  if (!limits.hopper || !limits.aligned || op.in % (fp8 ? 16 : 8) != 0) return ProductKernel::cublaslt;
  if (op.tokens == 1 && (fp8 ? one_token_fp8_fits(op.in) : one_token_fits(op.in)))
    return ProductKernel::one_token;
  return op.tokens <= most_streamed_tokens ? ProductKernel::streamed : ProductKernel::cublaslt;
}

}  // namespace inferometer::cuda
