#include "executor/cuda/cublaslt.hpp"

#include <array>

namespace inferometer::cuda {
namespace {

cudaDataType values_of(const Product& p) { return p.fp8() ? CUDA_R_8F_E4M3 : CUDA_R_16BF; }
cudaDataType sums_of(const Product& p) { return p.y_f32 ? CUDA_R_32F : CUDA_R_16BF; }

std::string text_of(const Product& p) {
  return std::to_string(p.tokens) + " tokens, " + std::to_string(p.in) + " in, " + std::to_string(p.out) +
         " out";
}

/// Where cuBLASLt keeps each number of a configuration, and in how many bytes.
struct Attribute {
  cublasLtMatmulAlgoConfigAttributes_t name;
  std::int64_t LibraryAlgorithm::*value;
  std::size_t bytes;
};
constexpr std::array attributes{
    Attribute{CUBLASLT_ALGO_CONFIG_ID, &LibraryAlgorithm::id, 4},  // first: it can only be read
    Attribute{CUBLASLT_ALGO_CONFIG_TILE_ID, &LibraryAlgorithm::tile, 4},
    Attribute{CUBLASLT_ALGO_CONFIG_STAGES_ID, &LibraryAlgorithm::stages, 4},
    Attribute{CUBLASLT_ALGO_CONFIG_SPLITK_NUM, &LibraryAlgorithm::split_k, 4},
    Attribute{CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, &LibraryAlgorithm::reduction, 4},
    Attribute{CUBLASLT_ALGO_CONFIG_CTA_SWIZZLING, &LibraryAlgorithm::swizzle, 4},
    Attribute{CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION, &LibraryAlgorithm::custom, 4},
    Attribute{CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID, &LibraryAlgorithm::inner_shape, 2},
    Attribute{CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID, &LibraryAlgorithm::cluster_shape, 2}};

/// Hosts of these GPUs are little-endian: the first bytes of a number are its lowest.
LibraryAlgorithm configuration(const cublasLtMatmulAlgo_t& algorithm) {
  LibraryAlgorithm all;
  for (const Attribute& a : attributes) {
    std::uint64_t value = 0;
    std::size_t written = 0;
    cublasLtMatmulAlgoConfigGetAttribute(&algorithm, a.name, &value, a.bytes, &written);
    all.*a.value = static_cast<std::int64_t>(value);
  }
  return all;
}

}  // namespace

/// Row-major y = x Wᵀ is column-major yᵀ = W x ᵀ: cuBLASLt's A is W, transposed, and its B is x.
struct CublasLt::Plan {
  cublasLtMatmulDesc_t operation = nullptr;
  cublasLtMatrixLayout_t w = nullptr, x = nullptr, r = nullptr, y = nullptr;
  cublasLtMatmulAlgo_t algorithm{};

  explicit Plan(const Product& p) {
    const auto size = [](std::int64_t n) { return static_cast<std::uint64_t>(n); };
    cublasLtMatmulDescCreate(&operation, CUBLAS_COMPUTE_32F, CUDA_R_32F);
    const cublasOperation_t transposed = CUBLAS_OP_T;
    cublasLtMatmulDescSetAttribute(operation, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed);
    if (p.fp8()) {
      const std::int8_t fast = 1;  // sums are added to f32 less often: what engines run fp8 with
      cublasLtMatmulDescSetAttribute(operation, CUBLASLT_MATMUL_DESC_FAST_ACCUM, &fast, sizeof fast);
      scale_by(p);
    }
    cublasLtMatrixLayoutCreate(&w, values_of(p), size(p.in), size(p.out), p.in);
    cublasLtMatrixLayoutCreate(&x, values_of(p), size(p.in), size(p.tokens), p.x_stride);
    cublasLtMatrixLayoutCreate(&r, sums_of(p), size(p.out), size(p.tokens),
                               p.residual != nullptr ? p.residual_stride : p.y_stride);
    cublasLtMatrixLayoutCreate(&y, sums_of(p), size(p.out), size(p.tokens), p.y_stride);
  }
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
    for (const cublasLtMatrixLayout_t layout : {w, x, r, y}) {
      if (layout != nullptr) cublasLtMatrixLayoutDestroy(layout);
    }
  }
};

std::string CublasLt::version() {
  const std::size_t v = cublasLtGetVersion();
  return std::to_string(v / 10000) + "." + std::to_string(v / 100 % 100) + "." + std::to_string(v % 100);
}

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

Result<std::vector<cublasLtMatmulAlgo_t>> CublasLt::proposed(const Product& p, const Plan& plan,
                                                             int most) const {
  cublasLtMatmulPreference_t preference = nullptr;
  cublasLtMatmulPreferenceCreate(&preference);
  const auto workspace = static_cast<std::uint64_t>(workspace_size.value);
  cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace,
                                       sizeof workspace);
  // What buffers guarantee: rows that start at multiples of 16 bytes where the sizes allow it.
  const auto align = [&](cublasLtMatmulPreferenceAttributes_t attribute, std::int64_t stride,
                         std::int64_t element) {
    std::uint32_t bytes = 16;
    while (bytes > 2 && stride * element % bytes != 0) bytes /= 2;
    cublasLtMatmulPreferenceSetAttribute(preference, attribute, &bytes, sizeof bytes);
  };
  const std::int64_t value = p.fp8() ? 1 : 2, sum = p.y_f32 ? 4 : 2;
  align(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, p.in, value);
  align(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, p.x_stride, value);
  align(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, p.residual != nullptr ? p.residual_stride : p.y_stride,
        sum);
  align(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, p.y_stride, sum);
  std::vector<cublasLtMatmulHeuristicResult_t> results(static_cast<std::size_t>(most));
  int found = 0;
  const cublasStatus_t status =
      cublasLtMatmulAlgoGetHeuristic(handle_.get(), plan.operation, plan.w, plan.x, plan.r, plan.y,
                                     preference, most, results.data(), &found);
  cublasLtMatmulPreferenceDestroy(preference);
  if (status != CUBLAS_STATUS_SUCCESS || found == 0)
    return failure("cuda: cuBLASLt has no algorithm for " + text_of(p));
  std::vector<cublasLtMatmulAlgo_t> all;
  for (int i = 0; i < found; ++i) all.push_back(results[static_cast<std::size_t>(i)].algo);
  return all;
}

Result<cublasLtMatmulAlgo_t> CublasLt::rebuilt(const Product& p, const Plan& plan) const {
  cublasLtMatmulAlgo_t algorithm{};
  const cudaDataType values = values_of(p), sums = sums_of(p);
  const cublasStatus_t known =
      cublasLtMatmulAlgoInit(handle_.get(), CUBLAS_COMPUTE_32F, CUDA_R_32F, values, values, sums, sums,
                             static_cast<int>(p.algorithm->id), &algorithm);
  if (known == CUBLAS_STATUS_SUCCESS) {
    for (std::size_t i = 1; i < attributes.size(); ++i) {
      const Attribute& a = attributes[i];
      const auto value = static_cast<std::uint64_t>(*p.algorithm.*a.value);
      cublasLtMatmulAlgoConfigSetAttribute(&algorithm, a.name, &value, a.bytes);
    }
    cublasLtMatmulHeuristicResult_t result{};
    // Not every algorithm has every attribute: what counts is that all are as they were.
    if (configuration(algorithm) == *p.algorithm &&
        cublasLtMatmulAlgoCheck(handle_.get(), plan.operation, plan.w, plan.x, plan.r, plan.y, &algorithm,
                                &result) == CUBLAS_STATUS_SUCCESS &&
        result.workspaceSize <= static_cast<std::size_t>(workspace_size.value))
      return algorithm;
  }
  return failure("cuda: cuBLASLt does not take algorithm " + to_string(*p.algorithm) + " for " + text_of(p));
}

Result<const CublasLt::Plan*> CublasLt::plan_of(const Product& p) {
  std::shared_ptr<const Plan>& known =
      plans_[{p.tokens, p.in, p.out, p.x_stride, p.y_stride, p.residual != nullptr ? p.residual_stride : 0,
              p.y_f32, p.fp8(), p.algorithm}];
  if (known) return known.get();
  auto plan = std::make_shared<Plan>(p);
  if (p.algorithm) {
    const auto algorithm = rebuilt(p, *plan);
    if (!algorithm) return failure(algorithm.error());
    plan->algorithm = *algorithm;
  } else {
    const auto best = proposed(p, *plan, 1);
    if (!best) return failure(best.error());
    plan->algorithm = best->front();
  }
  known = std::move(plan);
  return known.get();
}

Result<std::vector<LibraryAlgorithm>> CublasLt::algorithms(const Product& p, int most) const {
  const auto all = proposed(p, Plan{p}, most);
  if (!all) return failure(all.error());
  std::vector<LibraryAlgorithm> configurations;
  for (const cublasLtMatmulAlgo_t& a : *all) configurations.push_back(configuration(a));
  return configurations;
}

Done CublasLt::multiply(const Product& p, cudaStream_t stream) {
  const auto aligned = [](const float* scale) { return reinterpret_cast<std::uintptr_t>(scale) % 16 == 0; };
  require(aligned(p.x_scale) && aligned(p.w_scale), "scales at multiples of 16 bytes");
  const Result<const Plan*> plan = plan_of(p);
  if (!plan) return failure(plan.error());
  const Plan& q = **plan;
  if (p.fp8()) q.scale_by(p);
  require(p.residual == nullptr || !p.y_f32, "a residual in bf16");
  const float one = 1, residual = p.residual != nullptr ? 1.0F : 0.0F;
  const cublasStatus_t status =
      cublasLtMatmul(handle_.get(), q.operation, &one, p.w, q.w, p.x, q.x, &residual,
                     p.residual != nullptr ? p.residual : p.y, q.r, p.y, q.y, &q.algorithm, workspace_.data(),
                     static_cast<std::size_t>(workspace_size.value), stream);
  if (status != CUBLAS_STATUS_SUCCESS)
    return failure("cuda: cublasLtMatmul: " + std::string{cublasLtGetStatusString(status)});
  return std::monostate{};
}

}  // namespace inferometer::cuda
