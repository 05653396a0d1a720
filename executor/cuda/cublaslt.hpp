#pragma once
#include <cublasLt.h>

#include <cstdint>
#include <map>
#include <memory>
#include <tuple>

#include "executor/cuda/device_buffer.hpp"

namespace inferometer::cuda {

/// y = x Wᵀ   x [tokens, in], W [out, in] bf16; y [tokens, out] bf16 or f32; f32 sums
/// With scales (f32 [1], on the device) y = x_scale w_scale x Wᵀ of e4m3 values; in and out are multiples of
/// 16.
struct Product {
  const void *x = nullptr, *w = nullptr;
  void* y = nullptr;
  std::int64_t tokens = 0, in = 0, out = 0, x_stride = 0, y_stride = 0;
  bool y_f32 = false;
  const float *x_scale = nullptr, *w_scale = nullptr;

  bool fp8() const { return w_scale != nullptr; }
};

/// Products by cuBLASLt, with the algorithm that its heuristics rank first for each shape.
class CublasLt {
 public:
  CublasLt() = default;
  /// Memory that algorithms may use, fixed so that recorded graphs stay valid; the size that cuBLAS itself
  /// takes on Hopper.
  static constexpr Bytes workspace_size{32 << 20};
  [[nodiscard]] static Result<CublasLt> open();
  [[nodiscard]] Done multiply(const Product& p, cudaStream_t stream);

 private:
  struct Plan;
  struct Close {
    void operator()(cublasLtHandle_t handle) const { cublasLtDestroy(handle); }
  };
  using Shape = std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t, bool, bool>;
  Result<const Plan*> plan_of(const Product& p);

  std::unique_ptr<cublasLtContext, Close> handle_;
  DeviceBuffer workspace_;
  std::map<Shape, std::shared_ptr<const Plan>> plans_;
};

}  // namespace inferometer::cuda
