#include "executor/cuda/product_choice.hpp"

#include "executor/cuda/kernels/int4.hpp"

namespace inferometer::cuda {

ProductKernel choose(const Linear& op, const ProductLimits& limits) {
  if (op.w.dtype == DType::int4) {
    if (!limits.hopper || !limits.aligned || op.in % 8 != 0 || op.tokens > most_int4_tokens)
      return ProductKernel::int4_unpacked;
    return op.tokens == 1 && int4_one_token_fits(op.in) ? ProductKernel::int4_one_token
                                                        : ProductKernel::int4_streamed;
  }
  if (!limits.hopper || !limits.aligned || op.in % 8 != 0) return ProductKernel::cublaslt;
  if (op.tokens == 1 && one_token_fits(op.in)) return ProductKernel::one_token;
  return op.tokens <= most_streamed_tokens ? ProductKernel::streamed : ProductKernel::cublaslt;
}

}  // namespace inferometer::cuda
