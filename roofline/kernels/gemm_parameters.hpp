#pragma once
#include <span>

#include "roofline/kernels/format.hpp"
#include "roofline/kernels/parameter.hpp"

namespace inferometer {

/// The parameters of Gemm. Their meaning is the same in every format, generic values differ with the kernels
/// that a format has:
///   bf16, fp16, fp8_static   generic_source
///   fp8                      three kernels quantise a whole tensor: maximum, scale, cast; 1.1 + 6.7 us of no
///   size
///                            as published for H200, and the gaps between; five passes over x in bytes,
///                            slower than memory. The product is bf16's at twice the rate. From H200
///   fp8_block                one kernel, k is not split. From H200
///   nvfp4                    one kernel, and scales in the layout of the matrix units; k is not split. From
///                            B200, the only device that has it
///   sq                       one kernel, k is not split. From A100
///   int8_wo, int4_wo, w4a16_mxfp4   weights are widened on their way: fed more slowly; k is not split. From
///   A100 w4a8_mxfp4_mxfp8         as nvfp4
std::span<const KernelParameter> gemm_parameters(Format format);

}  // namespace inferometer
