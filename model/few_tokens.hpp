#pragma once
#include <cstdint>

namespace inferometer {

/// Steps of up to so many tokens are multiplied by kernels that stream their weights once; of more, by tiles
/// of both operands.
inline constexpr std::int64_t few_tokens = 64;
/// The same where weights are int4.
inline constexpr std::int64_t few_int4_tokens = 32;

}  // namespace inferometer
