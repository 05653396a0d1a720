#pragma once
#include <sqlite3.h>

#include <optional>
#include <string>
#include <utility>

#include "model/result.hpp"

namespace inferometer {

/// One SQL statement, bound and stepped; mistakes end it and stay in error().
class Statement {
 public:
  Statement(sqlite3* database, const std::string& sql) : database_(database) {
    code_ = sqlite3_prepare_v2(database, sql.c_str(), -1, &statement_, nullptr);
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(const std::string& text) {
    if (ready()) code_ = sqlite3_bind_text(statement_, ++bound_, text.c_str(), -1, SQLITE_TRANSIENT);
    return *this;
  }
  Statement& bind(const std::optional<double>& number) {
    if (!ready()) return *this;
    ++bound_;
    code_ = number ? sqlite3_bind_double(statement_, bound_, *number) : sqlite3_bind_null(statement_, bound_);
    return *this;
  }
  /// To be bound and stepped anew.
  void reset() {
    sqlite3_reset(statement_);
    bound_ = 0;
  }
  /// Whether there is a further row.
  bool step() {
    if (!ready()) return false;
    code_ = sqlite3_step(statement_);
    return code_ == SQLITE_ROW;
  }
  std::string text(int column) {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return text == nullptr ? "" : text;
  }
  std::optional<double> number(int column) {
    if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return std::nullopt;
    return sqlite3_column_double(statement_, column);
  }
  /// What went wrong; empty where nothing did.
  std::string error() const { return ready() ? "" : sqlite3_errmsg(database_); }

 private:
  bool ready() const { return code_ == SQLITE_OK || code_ == SQLITE_ROW || code_ == SQLITE_DONE; }

  sqlite3* database_;
  sqlite3_stmt* statement_ = nullptr;
  int code_ = SQLITE_OK, bound_ = 0;
};

/// `text` as an SQL string, and as a name.
inline std::string sql_quoted(const std::string& text, char quote) {
  std::string out(1, quote);
  for (const char c : text) out += c == quote ? std::string(2, c) : std::string(1, c);
  return out + quote;
}

}  // namespace inferometer
