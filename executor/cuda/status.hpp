#pragma once
#include <cuda_runtime.h>

#include <string>

#include "model/result.hpp"

namespace inferometer::cuda {

/// What the CUDA runtime says of a call, as a value.
inline Done checked(cudaError_t code, const char* what) {
  if (code == cudaSuccess) return std::monostate{};
  return failure("cuda: " + std::string{what} + ": " + cudaGetErrorString(code));
}

}  // namespace inferometer::cuda
