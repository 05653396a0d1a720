#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/names.hpp"
#include "model/result.hpp"

namespace inferometer {

/// A field of a line of CSV, and the column of text that it starts at.
struct Field {
  std::string_view text;
  int column = 1;
};

inline std::vector<Field> fields_of(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  std::vector<Field> fields;
  for (std::size_t start = 0;;) {
    const std::size_t comma = line.find(',', start);
    fields.push_back({line.substr(start, comma - start), static_cast<int>(start) + 1});
    if (comma == std::string_view::npos) return fields;
    start = comma + 1;
  }
}

/// The fields of one line by the names of their columns; collects what is wrong with them.
class Row {
 public:
  Row(const std::vector<std::string>& columns, std::vector<Field> fields, std::string file, int line,
      Errors& errors)
      : columns_(columns), fields_(std::move(fields)), file_(std::move(file)), line_(line), errors_(errors) {}

  const Field& field(std::string_view column) const {
    const auto at = std::find(columns_.begin(), columns_.end(), column) - columns_.begin();
    return fields_[static_cast<std::size_t>(at)];
  }
  void error(const Field& at, const std::string& message) {
    errors_.push_back({message, {file_, line_, at.column}});
  }

  template <class Number>
  Number positive(std::string_view column) {
    const std::optional<Number> value = number<Number>(column);
    if (!value || (*value > 0 && *value < static_cast<Number>(1e15))) return value.value_or(Number{1});
    error(field(column), fmt::format("{}: must be positive, is {}", column, field(column).text));
    return Number{1};
  }
  std::int64_t not_negative(std::string_view column) {
    const std::optional<std::int64_t> value = number<std::int64_t>(column);
    if (!value || (*value >= 0 && *value < static_cast<std::int64_t>(1e15))) return value.value_or(0);
    error(field(column), fmt::format("{}: must not be negative, is {}", column, field(column).text));
    return 0;
  }
  bool flag(std::string_view column) {
    const Field& f = field(column);
    if (f.text != "0" && f.text != "1")
      error(f, fmt::format("{}: \"{}\" is neither 0 nor 1", column, f.text));
    return f.text == "1";
  }
  bool has(std::string_view column) const {
    return std::find(columns_.begin(), columns_.end(), column) != columns_.end();
  }
  template <Named E>
  E value(std::string_view column) {
    const Field& f = field(column);
    const std::optional<E> v = value_named<E>(f.text);
    if (!v) error(f, fmt::format("{}: \"{}\" is not one of {}", column, f.text, expected_names<E>()));
    return v.value_or(E{});
  }

 private:
  template <class Number>
  std::optional<Number> number(std::string_view column) {
    const Field& f = field(column);
    Number value{};
    const auto [end, code] = std::from_chars(f.text.data(), f.text.data() + f.text.size(), value);
    if (code == std::errc{} && end == f.text.data() + f.text.size()) return value;
    error(f, fmt::format("{}: \"{}\" is not a number", column, f.text));
    return std::nullopt;
  }

  const std::vector<std::string>& columns_;
  std::vector<Field> fields_;
  std::string file_;
  int line_;
  Errors& errors_;
};

/// Reads CSV: one header line, no quotes, empty lines skipped.
///
/// refuse  what is wrong with these columns; empty where nothing is
/// take    is given each row and its line; what it tells the row is an error of the file
template <class Refuse, class Take>
Done for_each_row(const std::string& text, const std::string& file, const Refuse& refuse, const Take& take) {
  Errors errors;
  std::vector<std::string> columns;
  int line = 0;
  bool any = false;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    const std::string_view of_line = std::string_view{text}.substr(start, end - start);
    start = end + 1;
    std::vector<Field> fields = fields_of(of_line);
    if (++line == 1) {
      for (const Field& f : fields) columns.emplace_back(f.text);
      if (std::string why = refuse(columns); !why.empty()) return failure(std::move(why), {file, 1, 1});
      continue;
    }
    if (fields.size() == 1 && fields[0].text.empty()) continue;
    if (fields.size() != columns.size()) {
      errors.push_back({fmt::format("{} fields where the header names {}", fields.size(), columns.size()),
                        {file, line, 1}});
      continue;
    }
    Row row(columns, std::move(fields), file, line, errors);
    take(row, line);
    any = true;
  }
  if (line == 0) return failure("the file is empty; a header line is needed", {file, 1, 1});
  if (!errors.empty()) return failure(std::move(errors));
  if (!any) return failure("the file has no rows", {file, 1, 1});
  return std::monostate{};
}

}  // namespace inferometer
