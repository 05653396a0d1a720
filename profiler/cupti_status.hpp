#pragma once
#include <cupti.h>

#include <string>

#include "model/result.hpp"

namespace inferometer {

/// What CUPTI says of a call, as a value.
inline Done cupti_checked(CUptiResult code, const char* what) {
  if (code == CUPTI_SUCCESS) return std::monostate{};
  const char* text = nullptr;
  cuptiGetResultString(code, &text);
  return failure("profile: " + std::string{what} + ": " + (text != nullptr ? text : "unknown CUPTI error"));
}

}  // namespace inferometer
