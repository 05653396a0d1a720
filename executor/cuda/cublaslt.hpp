#pragma once
#include <cublasLt.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "executor/cuda/device_buffer.hpp"
#include "model/tuning.hpp"

namespace inferometer::cuda {

/// y = x Wᵀ (+ r)   x [tokens, in], W [out, in] bf16; y [tokens, out] bf16 or f32; r, where there is
/// one, like y in bf16; f32 sums
/// With scales (f32 [1], on the device, 16-byte aligned) y = x_scale w_scale x Wᵀ of e4m3 values; in and out
/// are multiples of 16.
struct Product {
  const void *x = nullptr, *w = nullptr;
  void* y = nullptr;
  std::int64_t tokens = 0, in = 0, out = 0, x_stride = 0, y_stride = 0;
  bool y_f32 = false;
  const void* residual = nullptr;
  std::int64_t residual_stride = 0;
  const float *x_scale = nullptr, *w_scale = nullptr;
  std::optional<LibraryAlgorithm> algorithm = {};  ///< none: the one that heuristics rank first

  bool fp8() const { return w_scale != nullptr; }
};

/// Products by cuBLASLt.
class CublasLt {
 public:
  CublasLt() = default;
  /// Memory that algorithms may use, fixed so that recorded graphs stay valid; the size that cuBLAS itself
  /// takes on Hopper.
  static constexpr Bytes workspace_size{32 << 20};
  /// Such as "13.1.0".
  static std::string version();
  [[nodiscard]] static Result<CublasLt> open();
  /// errors  products that no algorithm does, or not the given one
  [[nodiscard]] Done multiply(const Product& p, cudaStream_t stream);
  /// What heuristics propose for a product, the best first; at most `most`.
  [[nodiscard]] Result<std::vector<LibraryAlgorithm>> algorithms(const Product& p, int most) const;

 private:
  struct Plan;
  struct Close {
    void operator()(cublasLtHandle_t handle) const { cublasLtDestroy(handle); }
  };
  using Key = std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t,
                         bool, bool, std::optional<LibraryAlgorithm>>;
  Result<const Plan*> plan_of(const Product& p);
  Result<std::vector<cublasLtMatmulAlgo_t>> proposed(const Product& p, const Plan& plan, int most) const;
  Result<cublasLtMatmulAlgo_t> rebuilt(const Product& p, const Plan& plan) const;

  std::unique_ptr<cublasLtContext, Close> handle_;
  DeviceBuffer workspace_;
  std::map<Key, std::shared_ptr<const Plan>> plans_;
};

}  // namespace inferometer::cuda
