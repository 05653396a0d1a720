#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "model/units.hpp"

namespace inferometer {

/// How one element is stored.
enum class DType : std::uint8_t { f32, bf16, f16, fp8, int8, int4, mxfp4, nvfp4, i32 };

struct DTypeInfo {
  DType dtype;
  std::string_view name;
  int bits;
  std::string_view doc;
};

inline constexpr std::array dtypes{
    DTypeInfo{DType::f32, "f32", 32, "IEEE single precision"},
    DTypeInfo{DType::bf16, "bf16", 16, "bfloat16"},
    DTypeInfo{DType::f16, "f16", 16, "IEEE half precision"},
    DTypeInfo{DType::fp8, "fp8", 8, "8-bit float e4m3, one scale per tensor"},
    DTypeInfo{DType::int8, "int8", 8, "8-bit integer, one scale per output channel or token"},
    DTypeInfo{DType::int4, "int4", 4,
              "4-bit integer weights, a 16-bit scale and a 4-bit zero point per group of 128"},
    DTypeInfo{DType::mxfp4, "mxfp4", 4, "4-bit float e2m1 weights, an 8-bit exponent per group of 32"},
    DTypeInfo{DType::nvfp4, "nvfp4", 4, "4-bit float e2m1, an 8-bit float scale per group of 16"},
    DTypeInfo{DType::i32, "i32", 32, "32-bit integer: token ids, positions, routing"},
};

constexpr const DTypeInfo& info(DType dtype) { return dtypes[static_cast<std::size_t>(dtype)]; }
constexpr std::string_view name(DType dtype) { return info(dtype).name; }

constexpr std::optional<DType> dtype_named(std::string_view text) {
  for (const DTypeInfo& entry : dtypes) {
    if (entry.name == text) return entry.dtype;
  }
  return std::nullopt;
}

/// Bytes of `elements` packed elements, without the scales of a group format (those are operands of their
/// own).
constexpr Bytes size_of(std::int64_t elements, DType dtype) {
  return Bytes{(elements * info(dtype).bits + 7) / 8};
}

}  // namespace inferometer
