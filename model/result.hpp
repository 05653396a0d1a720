#pragma once
#include <string>
#include <utility>
#include <variant>
#include <vector>
#if __has_include(<tl/expected.hpp>)
#include <tl/expected.hpp>
#else
#include <expected>
#endif

namespace inferometer {

/// Where a mistake stands. Lines and columns count from 1; 0 means that none is known.
struct Location {
  std::string file;
  int line = 0;
  int column = 0;
};

/// Somebody else's mistake, as a value. Our own mistakes abort (see require()).
struct Error {
  std::string message;
  Location where{};
};
using Errors = std::vector<Error>;

#if __has_include(<tl/expected.hpp>)
template <class T>
using Result = tl::expected<T, Errors>;
inline auto failure(Errors errors) { return tl::unexpected<Errors>(std::move(errors)); }
#else
template <class T>
using Result = std::expected<T, Errors>;
inline auto failure(Errors errors) { return std::unexpected<Errors>(std::move(errors)); }
#endif
inline auto failure(std::string message, Location where = {}) {
  return failure(Errors{Error{std::move(message), std::move(where)}});
}

/// What succeeds without a value.
using Done = Result<std::monostate>;

/// "file:line:column: error: message"; the parts of the location that are not known are left out.
std::string to_string(const Error& error);
/// One line an error, in the order of their places.
std::string to_string(const Errors& errors);
/// The messages alone, "; " between them: for a cell or a note.
std::string in_a_line(const Errors& errors);

/// Aborts with `message` when a contract of this code base is broken.
void require(bool holds, const char* message);

}  // namespace inferometer
