#include "executor/cuda/tensor_map.hpp"

#include <cudaTypedefs.h>

#include "executor/cuda/status.hpp"

namespace inferometer::cuda {
namespace {

/// Asked of the driver at run time: linking against it would keep the program from starting without one.
PFN_cuTensorMapEncodeTiled_v12000 encoder() {
  static const auto found = [] {
    void* entry = nullptr;
    cudaDriverEntryPointQueryResult result{};
    const cudaError_t code =
        cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &entry, 12000, cudaEnableDefault, &result);
    return code == cudaSuccess ? reinterpret_cast<PFN_cuTensorMapEncodeTiled_v12000>(entry) : nullptr;
  }();
  return found;
}

}  // namespace

Result<CUtensorMap> tensor_map(const MapOf& m) {
  if (encoder() == nullptr) return failure("cuda: this driver has no tensor maps");
  CUtensorMap map{};
  const std::int64_t run = 128 / m.element_bytes;
  const auto stride = static_cast<cuuint64_t>(m.stride * m.element_bytes);
  const bool many = m.runs > 0;
  if (many && m.columns % run != 0)
    return failure("cuda: " + std::to_string(m.columns) + " columns are no whole runs of 128 bytes");
  const cuuint64_t extents[3] = {static_cast<cuuint64_t>(many ? run : m.columns),
                                 static_cast<cuuint64_t>(m.rows), static_cast<cuuint64_t>(m.columns / run)};
  const cuuint64_t strides[2] = {stride, 128};
  const cuuint32_t box[3] = {static_cast<cuuint32_t>(run), static_cast<cuuint32_t>(m.box_rows),
                             static_cast<cuuint32_t>(m.runs)};
  const cuuint32_t steps[3] = {1, 1, 1};
  const CUresult code = encoder()(
      &map, m.element_bytes == 1 ? CU_TENSOR_MAP_DATA_TYPE_UINT8 : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
      many ? 3 : 2, const_cast<void*>(m.data), extents, strides, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
      CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (code != CUDA_SUCCESS)
    return failure("cuda: cuTensorMapEncodeTiled: error " + std::to_string(static_cast<int>(code)));
  return map;
}

}  // namespace inferometer::cuda
