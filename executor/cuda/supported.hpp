#pragma once
#include "executor/cuda/gpu.hpp"
#include "model/case.hpp"
#include "model/structure.hpp"

namespace inferometer::cuda {

/// What of a case this backend has no kernels for, each thing once; empty when it can run.
Errors not_executed(const Case& c, const Structure& structure, const Gpu& gpu);

}  // namespace inferometer::cuda
