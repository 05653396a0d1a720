#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/document.hpp"
#include "model/dtype.hpp"
#include "model/units.hpp"

namespace inferometer {

/// Reads a mapping strictly. Every mistake goes into one list, with its place; reading goes on with a neutral
/// value, so that all mistakes are told at once. Keys that were not asked for are mistakes too
/// (reject_unknown_keys).
///
///   Reader in(document, "workload", errors);
///   spec.batch = in.required<std::int64_t>("batch");
///   in.reject_unknown_keys();
///
/// Values: bool, std::int64_t, double (plain numbers), std::string, DType, and quantities, which must carry
/// their unit: Bytes ("80 GiB"), BytesPerSecond ("4.8 TB/s"), FlopsPerSecond ("989 TFLOP/s"), Hertz ("1.83
/// GHz"), Watts ("700 W"), Seconds ("3 us"), and vectors of those. A quantity of another dimension is told as
/// such ("4.8 TB" is a size; a rate is needed).
class Reader {
 public:
  /// path: how messages name this mapping, "" for the top level.
  Reader(const Document& document, std::string path, Errors& errors);

  template <class T>
  T required(std::string_view key);
  template <class T>
  T optional(std::string_view key, T otherwise);
  template <class T>
  std::optional<T> maybe(std::string_view key);
  /// A list of values; mistakes name the item.
  template <class T>
  std::optional<std::vector<T>> list(std::string_view key);

  bool has(std::string_view key) const;
  /// The value of `key` as it stands, nullptr when absent; counts as asked for.
  const Document* raw(std::string_view key);
  /// A nested mapping; a missing or wrong one is told, once, and read as empty.
  Reader required_mapping(std::string_view key);
  std::optional<Reader> maybe_mapping(std::string_view key);
  /// The keys in the order of the text.
  std::vector<std::string> keys() const;

  /// Tells every key that nobody asked for, with the nearest valid one.
  void reject_unknown_keys();
  /// Adds a mistake at `key` (at its value when present, at this mapping otherwise).
  void error(std::string_view key, std::string message);

  const std::string& path() const { return path_; }
  const Location& where() const { return document_->where; }
  Errors& errors() { return *errors_; }

 private:
  const Document* find(std::string_view key) const;
  std::string path_to(std::string_view key) const;

  void miss(std::string_view key);

  const Document* document_;
  std::string path_;
  Errors* errors_;
  bool told_ = false;  ///< that there is no such mapping: its keys are not missed one by one
  std::vector<std::string> asked_;
};

/// Parses one value from its text, as it would stand in a scenario; the message of a failure names what is
/// wrong, not where.
template <class T>
Result<T> parse_value(const Document& value);

/// The entry of `candidates` nearest to `text` by edit distance, empty when none is near.
std::string nearest(std::string_view text, const std::vector<std::string>& candidates);

}  // namespace inferometer
