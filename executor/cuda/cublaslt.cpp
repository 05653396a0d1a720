#include "executor/cuda/cublaslt.hpp"

namespace inferometer::cuda {

/// Row-major y = x Wᵀ is column-major yᵀ = W x ᵀ: cuBLASLt's A is W, transposed, and its B is x.
struct CublasLt::Plan {
  cublasLtMatmulDesc_t operation = nullptr;
  cublasLtMatrixLayout_t w = nullptr, x = nullptr, y = nullptr;
  cublasLtMatmulAlgo_t algorithm{};

  Plan() = default;
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  /// Products of one shape have one plan, whatever their scales are.
  void scale_by(const Product& p) const {
    cublasLtMatmulDescSetAttribute(operation, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, &p.w_scale,
                                   sizeof p.w_scale);
    cublasLtMatmulDescSetAttribute(operation, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, &p.x_scale,
                                   sizeof p.x_scale);
  }
  ~Plan() {
    if (operation != nullptr) cublasLtMatmulDescDestroy(operation);
    for (const cublasLtMatrixLayout_t layout : {w, x, y}) {
      if (layout != nullptr) cublasLtMatrixLayoutDestroy(layout);
    }
  }
};

Result<CublasLt> CublasLt::open() {
  CublasLt lt;
  cublasLtHandle_t handle = nullptr;
  if (cublasLtCreate(&handle) != CUBLAS_STATUS_SUCCESS) return failure("cuda: cublasLtCreate failed");
  lt.handle_.reset(handle);
  Result<DeviceBuffer> workspace = DeviceBuffer::of(workspace_size);
  if (!workspace) return failure(workspace.error());
  lt.workspace_ = std::move(*workspace);
  return lt;
}

Result<const CublasLt::Plan*> CublasLt::plan_of(const Product& p) {
  std::shared_ptr<const Plan>& known =
      plans_[{p.tokens, p.in, p.out, p.x_stride, p.y_stride, p.y_f32, p.fp8()}];
  if (known) return known.get();
  auto plan = std::make_shared<Plan>();
  const auto size = [](std::int64_t n) { return static_cast<std::uint64_t>(n); };
  cublasLtMatmulDescCreate(&plan->operation, CUBLAS_COMPUTE_32F, CUDA_R_32F);
  const cublasOperation_t transposed = CUBLAS_OP_T;
  cublasLtMatmulDescSetAttribute(plan->operation, CUBLASLT_MATMUL_DESC_TRANSA, &transposed,
                                 sizeof transposed);
  const cudaDataType values = p.fp8() ? CUDA_R_8F_E4M3 : CUDA_R_16BF;
  if (p.fp8()) {
    const std::int8_t fast = 1;  // sums are added to f32 less often: what engines run fp8 with
    cublasLtMatmulDescSetAttribute(plan->operation, CUBLASLT_MATMUL_DESC_FAST_ACCUM, &fast, sizeof fast);
    plan->scale_by(p);
  }
  cublasLtMatrixLayoutCreate(&plan->w, values, size(p.in), size(p.out), p.in);
  cublasLtMatrixLayoutCreate(&plan->x, values, size(p.in), size(p.tokens), p.x_stride);
  cublasLtMatrixLayoutCreate(&plan->y, p.y_f32 ? CUDA_R_32F : CUDA_R_16BF, size(p.out), size(p.tokens),
                             p.y_stride);
  cublasLtMatmulPreference_t preference = nullptr;
  cublasLtMatmulPreferenceCreate(&preference);
  const auto most = static_cast<std::uint64_t>(workspace_size.value);
  cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &most,
                                       sizeof most);
  // What buffers guarantee: rows that start at multiples of 16 bytes where the sizes allow it.
  const auto alignment = [](std::int64_t stride, std::int64_t element) {
    std::uint32_t a = 16;
    while (a > 2 && stride * element % a != 0) a /= 2;
    return a;
  };
  const std::uint32_t w_bytes = alignment(p.in, p.fp8() ? 1 : 2),
                      x_bytes = alignment(p.x_stride, p.fp8() ? 1 : 2),
                      y_bytes = alignment(p.y_stride, p.y_f32 ? 4 : 2);
  const auto align = [&](cublasLtMatmulPreferenceAttributes_t attribute, std::uint32_t bytes) {
    cublasLtMatmulPreferenceSetAttribute(preference, attribute, &bytes, sizeof bytes);
  };
  align(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, w_bytes);
  align(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, x_bytes);
  align(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, y_bytes);
  align(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, y_bytes);
  cublasLtMatmulHeuristicResult_t best{};
  int found = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      handle_.get(), plan->operation, plan->w, plan->x, plan->y, plan->y, preference, 1, &best, &found);
  cublasLtMatmulPreferenceDestroy(preference);
  if (status != CUBLAS_STATUS_SUCCESS || found == 0) {
    return failure("cuda: cuBLASLt has no algorithm for " + std::to_string(p.tokens) + " tokens, " +
                   std::to_string(p.in) + " in, " + std::to_string(p.out) + " out");
  }
  plan->algorithm = best.algo;
  known = std::move(plan);
  return known.get();
}

Done CublasLt::multiply(const Product& p, cudaStream_t stream) {
  const Result<const Plan*> plan = plan_of(p);
  if (!plan) return failure(plan.error());
  const Plan& q = **plan;
  if (p.fp8()) q.scale_by(p);
  const float one = 1, zero = 0;
  const cublasStatus_t status =
      cublasLtMatmul(handle_.get(), q.operation, &one, p.w, q.w, p.x, q.x, &zero, p.y, q.y, p.y, q.y,
                     &q.algorithm, workspace_.data(), static_cast<std::size_t>(workspace_size.value), stream);
  if (status != CUBLAS_STATUS_SUCCESS)
    return failure("cuda: cublasLtMatmul: " + std::string{cublasLtGetStatusString(status)});
  return std::monostate{};
}

}  // namespace inferometer::cuda
