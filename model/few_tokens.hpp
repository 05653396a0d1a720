#pragma once
#include <cstdint>

namespace inferometer {

/// Steps of up to so many tokens are multiplied by kernels that stream their weights once; of more, by tiles
/// of both operands.
inline constexpr std::int64_t few_tokens = 64;
/// The same where weights are int4, of inputs that are a multiple of so many.
inline constexpr std::int64_t few_int4_tokens = 32, few_int4_columns = 64;

}  // namespace inferometer
