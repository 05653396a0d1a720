#pragma once
#include <optional>
#include <vector>

#include "executor/cpu/onednn.hpp"

namespace inferometer::cpu {

/// Row-major weights [matrices, out, in] as a checkpoint holds them.
struct WeightSource {
  const void* values = nullptr;
  DType dtype = DType::bf16;      ///< f32, bf16 or int8
  const float* scales = nullptr;  ///< int8: one per row, [matrices, out]
  std::int64_t matrices = 1, out = 0, in = 0;
};

/// Weights as this CPU multiplies them; the source may be freed. Made by Products::pack.
struct PackedWeights {
  std::int64_t matrices = 1, out = 0, in = 0;
  DType dtype = DType::bf16;   ///< as asked for
  DType stored = DType::bf16;  ///< f32 where bf16 is not multiplied as it is
  std::optional<OneDnnWeights> onednn;
  std::vector<std::int8_t> plain;  ///< int8 where oneDNN's sums would saturate
  std::vector<float> scales;

  Bytes bytes() const;
};

/// Rows of a buffer; `stride` elements from one row to the next, so that a view of a fused buffer works. Rows
/// with gaps between them, or of several matrices, are copied: oneDNN multiplies dense ones only ("ref:any",
/// a hundred times slower, otherwise).
struct ProductInput {
  const void* data = nullptr;
  DType dtype = DType::bf16;
  std::int64_t rows = 0, stride = 0;
  const float* scales = nullptr;   ///< int8: one per row
  std::int64_t matrix_stride = 0;  ///< elements from one matrix's columns to the next's; 0: adjacent
};
struct ProductOutput {
  void* data = nullptr;
  DType dtype = DType::bf16;  ///< f32 or bf16
  std::int64_t stride = 0;
  std::int64_t matrix_stride = 0;  ///< as in ProductInput
};

/// Matrix products of the CPU backend. One call at a time; each uses all threads.
class Products {
 public:
  Products();
  /// Errors: a dtype that is not multiplied here, memory that is not there.
  [[nodiscard]] Result<PackedWeights> pack(const WeightSource& source);
  /// y = x Wᵀ (+ bias).   x [rows, matrices * in]   y [rows, matrices * out]   bias [matrices * out] or null
  /// Each matrix multiplies its own columns of x and writes its own columns of y.
  /// x has the weights' dtype, or is bf16 where those are f32. Sums are f32; of int8 they are 32-bit
  /// integers, multiplied by both scales.
  void multiply(const PackedWeights& w, const ProductInput& x, const ProductOutput& y,
                const float* bias = nullptr);
  /// Whether weights in `dtype` are multiplied as they are stored.
  bool native(DType dtype) const;

 private:
  std::int64_t filled_rows(const PackedWeights& w, std::int64_t rows) const;
  const void* dense_input(const PackedWeights& w, const ProductInput& x, std::int64_t rows);
  void multiply_dense(const PackedWeights& w, const void* x, std::int64_t rows, void* y, DType y_dtype,
                      const float* bias);

  OneDnn onednn_;
  std::int64_t tile_rows_;
  bool native_bf16_, native_int8_;
  std::vector<char> x_copy_, y_copy_;  ///< inputs and outputs that do not lie in memory as oneDNN wants them
};

}  // namespace inferometer::cpu
