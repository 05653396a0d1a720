#include "model/result.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <tuple>

namespace inferometer {

std::string to_string(const Error& error) {
  std::string text = error.where.file;
  if (error.where.line > 0) {
    text += ":" + std::to_string(error.where.line) + ":" + std::to_string(error.where.column);
  }
  if (!text.empty()) text += ": ";
  text += "error: ";
  text += error.message;
  return text;
}

std::string to_string(const Errors& errors) {
  Errors sorted = errors;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Error& a, const Error& b) {
    return std::tie(a.where.file, a.where.line, a.where.column) <
           std::tie(b.where.file, b.where.line, b.where.column);
  });
  std::string text;
  for (const Error& error : sorted) text += to_string(error) + "\n";
  return text;
}

std::string in_a_line(const Errors& errors) {
  std::string text;
  for (const Error& e : errors) text += (text.empty() ? "" : "; ") + e.message;
  return text;
}

void require(bool holds, const char* message) {
  if (holds) return;
  std::fprintf(stderr, "inferometer: internal error: %s\n", message);
  std::abort();
}

}  // namespace inferometer
