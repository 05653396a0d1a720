#pragma once
#include <cstdint>

#include "executor/cuda/gpu.hpp"
#include "model/tuning.hpp"

namespace inferometer::cuda {

/// What a choice depends on beside the node.
struct ProductLimits {
  bool hopper = false;  ///< compute capability 9.0
  bool aligned = true;  ///< x starts at a multiple of 16 bytes
};

/// Whether a kernel can compute a product.
bool fits(ProductKernel kernel, const ProductShape& shape, const ProductLimits& limits);

/// What was tuned; else, few tokens are a stream of weights, which our kernels overlap with the kernel
/// before, and many are a matter of arithmetic, which is the library's strength.
ProductChoice choose(const ProductShape& shape, const ProductLimits& limits, const Tuning& tuning);

/// What keeps a tuning from being used: another GPU, another cuBLASLt, kernels that do not fit their shapes.
Errors why_not_tuned(const Tuning& tuning, const Gpu& gpu, const std::string& cublaslt);

/// How one of int4 weights is.
enum class Int4Kernel : std::uint8_t {
  one_token,
  streamed,
  tiled,
  unpacked,  ///< to bf16 in scratch memory, and then cuBLASLt
};
/// Each 128 tokens of `tiled` unpack the weights again, so that unpacking them once into memory pays off at
/// some number of them.
Int4Kernel choose_int4(const Linear& op, const ProductLimits& limits);

}  // namespace inferometer::cuda
