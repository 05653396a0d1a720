#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>

#include "model/names.hpp"
#include "model/structure.hpp"

namespace inferometer {

/// A matrix product as its kernel sees it.   y [tokens, out] = x [tokens, in] W [out, in]ᵀ
/// Rows of x and y are x_stride and y_stride elements apart; those of W are dense.
struct ProductShape {
  std::int64_t tokens = 0, in = 0, out = 0;
  DType x = DType::bf16, w = DType::bf16, y = DType::bf16;
  std::int64_t x_stride = 0, y_stride = 0;
  friend auto operator<=>(const ProductShape&, const ProductShape&) = default;
};
ProductShape shape_of(const Linear& op, std::int64_t x_stride, std::int64_t y_stride);
/// "2048 tokens, 4096 in, 28672 out, bf16 by bf16 to bf16", with strides where rows are not dense.
std::string to_string(const ProductShape& shape);

/// Products of a step as it is run (padded) that more than one kernel can do: those of bf16 by bf16 and of
/// fp8 by fp8 that run in a kernel of their own, and take nothing over from one before.
std::set<ProductShape> product_shapes(const Structure& structure, const Features& features);

/// How a product is computed.
enum class ProductKernel : std::uint8_t {
  cublaslt,
  one_token,  ///< our stream of weights for one token
  streamed    ///< and for few
};
template <>
struct Names<ProductKernel> {
  using N = std::pair<ProductKernel, std::string_view>;
  static constexpr std::array list{N{ProductKernel::cublaslt, "cublaslt"},
                                   N{ProductKernel::one_token, "one_token"},
                                   N{ProductKernel::streamed, "streamed"}};
};

/// One of cuBLASLt's algorithms with its configuration (cublasLtMatmulAlgoConfigAttributes_t). What the
/// numbers mean is known to one version of the library only.
struct LibraryAlgorithm {
  std::int64_t id = 0, tile = 0, stages = 0, split_k = 0, reduction = 0, swizzle = 0, custom = 0,
               inner_shape = 0, cluster_shape = 0;
  friend auto operator<=>(const LibraryAlgorithm&, const LibraryAlgorithm&) = default;
};
/// Visits each number as visit(name, reference).
template <class A, class Visit>
void algorithm_fields(A& algorithm, Visit&& visit) {
  visit("id", algorithm.id);
  visit("tile", algorithm.tile);
  visit("stages", algorithm.stages);
  visit("split_k", algorithm.split_k);
  visit("reduction", algorithm.reduction);
  visit("swizzle", algorithm.swizzle);
  visit("custom", algorithm.custom);
  visit("inner_shape", algorithm.inner_shape);
  visit("cluster_shape", algorithm.cluster_shape);
}
/// "id 66, tile 20, ...", zeros left out.
std::string to_string(const LibraryAlgorithm& algorithm);

/// What runs a product. algorithm: of cublaslt; none: the one that its heuristics rank first
struct ProductChoice {
  ProductKernel kernel = ProductKernel::cublaslt;
  std::optional<LibraryAlgorithm> algorithm;
  friend bool operator==(const ProductChoice&, const ProductChoice&) = default;
};
/// The kernel's name, with the algorithm.
std::string to_string(const ProductChoice& choice);

/// A choice that beat the default one. Times are medians of the two, run in turns.
struct TunedProduct {
  ProductChoice choice;
  Seconds time{0}, default_time{0};
};

/// What was found to be faster than the default choices, on one GPU with one version of cuBLASLt. Shapes that
/// are not named are computed as without it; nothing is interpolated.
struct Tuning {
  std::string gpu, driver, cublaslt, date;  ///< gpu: empty where nothing was tuned
  std::map<ProductShape, TunedProduct> products;
  std::string source = "none";  ///< the file with its hash

  const TunedProduct* find(const ProductShape& shape) const {
    const auto found = products.find(shape);
    return found == products.end() ? nullptr : &found->second;
  }
};

}  // namespace inferometer
