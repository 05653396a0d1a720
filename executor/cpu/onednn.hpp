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

/// Weights [matrices, out, in] in the layout that oneDNN multiplies fastest. Made by OneDnn::pack.
class OneDnnWeights {
 public:
  struct Impl;
  explicit OneDnnWeights(std::unique_ptr<Impl> impl);
  OneDnnWeights(OneDnnWeights&&) noexcept;
  OneDnnWeights& operator=(OneDnnWeights&&) noexcept;
  ~OneDnnWeights();
  Bytes bytes() const;  ///< rows and columns are padded to the layout's blocks

 private:
  friend class OneDnn;
  std::unique_ptr<Impl> impl_;
};

/// Products of dense matrices by oneDNN: the one place that knows which of its versions is installed. One
/// call at a time; each uses all threads. products.hpp is what the rest of the program calls.
///
/// oneDNN compiles a kernel for each number of rows: the first product of a new (weights' shape, rows) takes
/// 0.1 to 0.4 ms more (measured); it is kept for all weights of that shape.
class OneDnn {
 public:
  OneDnn();
  ~OneDnn();
  OneDnn(const OneDnn&) = delete;
  OneDnn& operator=(const OneDnn&) = delete;

  /// values [matrices, out, in], row-major, f32, bf16 or int8; may be freed afterwards.
  [[nodiscard]] Result<OneDnnWeights> pack(const void* values, DType dtype, std::int64_t matrices,
                                           std::int64_t out, std::int64_t in);
  /// y = x Wᵀ (+ bias).   x [matrices, rows, in] in the weights' dtype   y [matrices, rows, out]: f32; also
  /// bf16 where x is; i32 where x is int8   bias [matrices, out] or null
  void multiply(const OneDnnWeights& w, const void* x, std::int64_t rows, void* y, DType y_dtype,
                const float* bias = nullptr);

  /// Whether oneDNN multiplies `dtype` on this CPU, exactly where it is an integer and with a compiled
  /// kernel: bf16 needs AVX-512, int8 needs VNNI (without it, sums of two products saturate at 16 bits).
  bool native(DType dtype);
  /// Rows of the tiles that bf16 and int8 products are made of on this CPU: 16 with AMX, otherwise 1.
  static std::int64_t tile_rows();
  static std::string version();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace inferometer::cpu
