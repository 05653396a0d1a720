#pragma once
#include <vector>

#include "executor/cuda/gpu.hpp"
#include "executor/cuda/launch_product.hpp"
#include "executor/cuda/stream.hpp"

namespace inferometer::cuda {

/// A product with operands of its own, to time kernels on: random values, and so many copies of W, taken in
/// turn, that none is found in the L2 cache. x stays there, as what the kernel before wrote does.
class TimedProduct {
 public:
  /// overlap: kernels start while the one before drains, as far as they can
  /// errors  memory
  [[nodiscard]] static Result<TimedProduct> of(const ProductShape& shape, const Gpu& gpu, bool overlap);

  /// The mean of `launches` runs, one behind the other.
  [[nodiscard]] Result<Seconds> time(const ProductChoice& choice, int launches);
  /// What cuBLASLt's heuristics propose, the best first.
  [[nodiscard]] Result<std::vector<LibraryAlgorithm>> algorithms(int most) const;

 private:
  TimedProduct() = default;
  Done allocate(const ProductShape& shape, std::int64_t copies);
  void fill(const ProductShape& shape);
  Done launch(const ProductChoice& choice);

  CublasLt library_;
  Stream stream_;
  Event start_, end_;
  Queue queue_;
  DeviceBuffer memory_;
  Product product_;
  std::vector<char*> copies_;  ///< of the weights
  std::size_t next_ = 0;
  char *x_ = nullptr, *halves_ = nullptr;  ///< halves: what operands in e4m3 are made of
  float *x_scale_ = nullptr, *w_scale_ = nullptr;
};

}  // namespace inferometer::cuda
