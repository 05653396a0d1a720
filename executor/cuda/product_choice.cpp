#include "executor/cuda/product_choice.hpp"

#include "executor/cuda/kernels/products.hpp"

namespace inferometer::cuda {

ProductKernel choose(const Linear& op, const ProductLimits& limits) {
  if (!limits.hopper || !limits.aligned || op.in % 8 != 0) return ProductKernel::cublaslt;
  if (op.tokens == 1 && one_token_fits(op.in)) return ProductKernel::one_token;
  return op.tokens <= most_streamed_tokens ? ProductKernel::streamed : ProductKernel::cublaslt;
}

}  // namespace inferometer::cuda
