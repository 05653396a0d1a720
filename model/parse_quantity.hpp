#pragma once
#include <cstddef>
#include <string_view>

#include "model/document.hpp"

namespace inferometer {

/// The text of a scalar; other kinds say what they are and that `wanted` is needed.
Result<std::string_view> plain_scalar(const Document& value, std::string_view wanted);
/// Length of the plain decimal number that `text` begins with, 0 where there is none. No sign '+', leading
/// zeros, hexadecimal, infinity or NaN.
std::size_t leading_number(std::string_view text);
/// The value of a text that is one leading_number. Errors: out of the range of double.
Result<double> number_of(std::string_view digits);

}  // namespace inferometer
