#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "model/dtype.hpp"
#include "model/result.hpp"

namespace inferometer::cpu {

/// Threads of oneDNN and of every kernel in this folder (both run on the OpenMP runtime).
void set_threads(int count);
int threads();

/// Row-major weights [matrices, out, in] as a checkpoint holds them.
struct WeightSource {
  const void* values = nullptr;
  DType dtype = DType::bf16;      ///< f32, bf16 or int8
  const float* scales = nullptr;  ///< int8: one per row, [matrices, out]
  std::int64_t matrices = 1, out = 0, in = 0;
};

/// Weights in the layout that oneDNN multiplies fastest; the source may be freed. Made by OneDnn::pack.
class PackedWeights {
 public:
  struct Impl;
  PackedWeights(PackedWeights&&) noexcept;
  PackedWeights& operator=(PackedWeights&&) noexcept;
  ~PackedWeights();
  std::int64_t matrices() const;
  std::int64_t out() const;
  std::int64_t in() const;
  DType dtype() const;
  Bytes bytes() const;  ///< as packed: rows and columns are padded to the layout's blocks

 private:
  friend class OneDnn;
  explicit PackedWeights(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Rows of a buffer; `stride` elements from one row to the next, so that a view of a fused buffer works. Rows
/// with gaps between them, or of several matrices, are copied: oneDNN multiplies dense ones.
struct ProductInput {
  const void* data = nullptr;
  DType dtype = DType::bf16;
  std::int64_t rows = 0, stride = 0;
  const float* scales = nullptr;  ///< int8: one per row
};
struct ProductOutput {
  void* data = nullptr;
  DType dtype = DType::bf16;  ///< f32 or bf16
  std::int64_t stride = 0;
};

/// Matrix products by oneDNN. One call at a time; each uses all threads.
///
/// oneDNN compiles a kernel for each number of rows: the first product of a new (weights' shape,
/// rows) costs about a millisecond more and is kept, for all weights of that shape.
class OneDnn {
 public:
  OneDnn();
  ~OneDnn();
  OneDnn(const OneDnn&) = delete;
  OneDnn& operator=(const OneDnn&) = delete;

  /// Errors: a dtype that is not multiplied here, memory that is not there.
  [[nodiscard]] Result<PackedWeights> pack(const WeightSource& source);
  /// y = x Wᵀ (+ bias).   x [rows, matrices * in]   y [rows, matrices * out]   bias [matrices * out], f32
  /// Each matrix multiplies its own columns of x and writes its own columns of y.
  /// x has the weights' dtype, or is bf16 where those are f32. int8: integer sums, times both scales.
  /// Accumulates in f32 (int8: in 32-bit integers).
  void multiply(const PackedWeights& w, const ProductInput& x, const ProductOutput& y,
                const float* bias = nullptr);

  /// Whether this CPU and oneDNN multiply `dtype` as it is stored; bf16 is widened to f32 where they do not.
  static bool native(DType dtype);
  static std::string version();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace inferometer::cpu
