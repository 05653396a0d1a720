#pragma once
#include <cstdint>
#include <string_view>

#include "model/operators/linear.hpp"

namespace inferometer::cuda {

/// How a product is computed.
enum class ProductKernel : std::uint8_t { cublaslt, one_token, streamed };

/// What a choice depends on beside the node.
struct ProductLimits {
  bool hopper = false;  ///< compute capability 9.0
  bool aligned = true;  ///< rows of x start at multiples of 16 bytes
};

/// Few tokens are a stream of weights, which our kernels overlap with the kernel before; many are a matter of
/// arithmetic, which is the library's strength.
ProductKernel choose(const Linear& op, const ProductLimits& limits);

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
