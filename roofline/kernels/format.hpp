#pragma once
#include "model/dtype.hpp"
#include "model/names.hpp"

namespace inferometer {

/// How a matrix product stores its operands and what it multiplies in, as published measurements name it.
enum class Format : std::uint8_t {
  bf16,
  fp16,
  fp8,
  fp8_static,
  fp8_block,
  nvfp4,
  int8_wo,
  int4_wo,
  sq,
  w4a16_mxfp4,
  w4a8_mxfp4_mxfp8,
  f32
};

template <>
struct Names<Format> {
  static constexpr std::array list{std::pair{Format::bf16, std::string_view{"bf16"}},
                                   std::pair{Format::fp16, std::string_view{"fp16"}},
                                   std::pair{Format::fp8, std::string_view{"fp8"}},
                                   std::pair{Format::fp8_static, std::string_view{"fp8_static"}},
                                   std::pair{Format::fp8_block, std::string_view{"fp8_block"}},
                                   std::pair{Format::nvfp4, std::string_view{"nvfp4"}},
                                   std::pair{Format::int8_wo, std::string_view{"int8_wo"}},
                                   std::pair{Format::int4_wo, std::string_view{"int4_wo"}},
                                   std::pair{Format::sq, std::string_view{"sq"}},
                                   std::pair{Format::w4a16_mxfp4, std::string_view{"w4a16_mxfp4"}},
                                   std::pair{Format::w4a8_mxfp4_mxfp8, std::string_view{"w4a8_mxfp4_mxfp8"}},
                                   std::pair{Format::f32, std::string_view{"f32"}}};
};

/// Bytes an element takes with its share of the scales, and the dtype whose matrix rate products run at.
struct FormatInfo {
  double weight_bytes, input_bytes;
  DType multiplied;
  bool quantizes_inputs;  ///< inputs arrive in bf16 and are converted by kernels of their own
};

constexpr FormatInfo info(Format format) {
  switch (format) {
    case Format::f32:  // on vector units, where matrix units have no f32
      return {4, 4, DType::f32, false};
    case Format::bf16:
      return {2, 2, DType::bf16, false};
    case Format::fp16:
      return {2, 2, DType::f16, false};
    case Format::fp8:  // per-tensor e4m3
      return {1, 1, DType::fp8, true};
    case Format::fp8_static:  // the same, of inputs that are in fp8 already
      return {1, 1, DType::fp8, false};
    case Format::fp8_block:  // weights in 128 x 128 blocks, inputs in 1 x 128, a float each
      return {1 + 4.0 / (128 * 128), 1 + 4.0 / 128, DType::fp8, true};
    case Format::nvfp4:  // e2m1, an e4m3 scale per 16
      return {0.5 + 1.0 / 16, 0.5 + 1.0 / 16, DType::nvfp4, true};
    case Format::int8_wo:
      return {1, 2, DType::bf16, false};
    case Format::int4_wo:  // a 16-bit scale per 128
      return {0.5 + 2.0 / 128, 2, DType::bf16, false};
    case Format::sq:  // SmoothQuant W8A8
      return {1, 1, DType::int8, true};
    case Format::w4a16_mxfp4:  // e2m1, an 8-bit exponent per 32
      return {0.5 + 1.0 / 32, 2, DType::bf16, false};
    case Format::w4a8_mxfp4_mxfp8:
      return {0.5 + 1.0 / 32, 1 + 1.0 / 32, DType::fp8, true};
  }
  return {2, 2, DType::bf16, false};
}

}  // namespace inferometer
