#include "executor/cuda/product_choice.hpp"

#include "executor/cuda/kernels/int4.hpp"

namespace inferometer::cuda {

ProductKernel choose(const Linear& op, const ProductLimits& limits) {
  if (op.w.dtype == DType::int4) {
    if (!limits.hopper || !limits.aligned || op.in % 8 != 0 || op.tokens > most_int4_tiled_tokens)
      return ProductKernel::int4_unpacked;
    if (op.tokens == 1 && int4_one_token_fits(op.in)) return ProductKernel::int4_one_token;
    return op.tokens <= most_int4_streamed_tokens ? ProductKernel::int4_streamed : ProductKernel::int4_tiled;
  }
  if (!limits.hopper || !limits.aligned || op.in % 8 != 0) return ProductKernel::cublaslt;
  if (op.tokens == 1 && one_token_fits(op.in)) return ProductKernel::one_token;
  return op.tokens <= most_streamed_tokens ? ProductKernel::streamed : ProductKernel::cublaslt;
}

}  // namespace inferometer::cuda
