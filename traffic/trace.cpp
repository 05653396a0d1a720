#include "traffic/trace.hpp"

#include <algorithm>

#include "traffic/collection.hpp"
#include "traffic/csv_line.hpp"
#include "traffic/json_line.hpp"

namespace inferometer {
namespace {

using Role = Column::Role;

class Reading {
 public:
  Reading(std::string_view text, const std::string& file, std::int64_t block_tokens)
      : text_(text), file_(file), collection_(block_tokens) {}

  Result<RequestTrace> read() {
    if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);
    const std::size_t first = text_.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return failure("there is nothing in it", {file_, 1, 1});
    if (text_[first] == '[')
      return failure("a JSON list; a trace is CSV with a header, or JSON objects, one a line", {file_, 1, 1});
    const bool json = text_[first] == '{';
    for (std::size_t at = 0; at < text_.size(); ++line_) {
      const std::size_t end = std::min(text_.find('\n', at), text_.size());
      const std::string_view line = text_.substr(at, end - at);
      at = end + 1;
      if (without_blanks(line).empty()) continue;
      if (json) {
        read_json(line);
      } else if (header_.empty()) {
        if (Done done = read_header(line); !done) return failure(done.error());
      } else {
        read_csv(line);
      }
      if (collection_.lacks_block_tokens())
        return failure(
            "the format does not say how many tokens an identity of a block stands for; block_tokens is "
            "needed",
            here(0));
    }
    Result<RequestTrace> trace = collection_.finish();
    if (trace) return trace;
    Errors errors = trace.error();
    for (Error& e : errors) {
      if (e.where.line == 0) e.where = {file_, 1, 1};
    }
    return failure(std::move(errors));
  }

 private:
  Location here(std::size_t at) const { return {file_, line_, static_cast<int>(at) + 1}; }

  Done read_header(std::string_view line) {
    Errors errors;
    const auto said = [&](Role role) {
      return std::any_of(header_.begin(), header_.end(),
                         [&](const Column* c) { return c != nullptr && c->role == role; });
    };
    const auto broken = for_each_cell(line, [&](std::string_view cell, std::size_t at) {
      const Column* column = column_named(cell);
      if (column != nullptr && said(column->role))
        errors.push_back({"column \"" + std::string{cell} + "\" says what another one says", here(at)});
      header_.push_back(column);
    });
    if (broken) errors.push_back({"a quote does not end, or text is behind it", here(*broken)});
    for (const auto& [role, what] : {std::pair{Role::prompt, "prompts"}, {Role::output, "outputs"}}) {
      if (!said(role))
        errors.push_back(
            {"no column for " + std::string{what} + "; known columns are " + std::string{known_columns()},
             here(0)});
    }
    if (!errors.empty()) return failure(std::move(errors));
    return std::monostate{};
  }

  void read_csv(std::string_view line) {
    row_.clear();
    std::size_t i = 0;
    const auto broken = for_each_cell(line, [&](std::string_view cell, std::size_t at) {
      if (i < header_.size() && header_[i] != nullptr) row_.set(*header_[i], cell, at);
      ++i;
    });
    if (broken) {
      row_.refuse("a quote does not end, or text is behind it", *broken);
    } else if (i != header_.size()) {
      row_.refuse("has " + std::to_string(i) + " cells, the header " + std::to_string(header_.size()), 0);
    }
    if (collection_.settle(row_)) {
      collection_.keep(row_);
    } else {
      collection_.count_bad(row_, here(row_.bad_at));
    }
  }

  void read_json(std::string_view line) {
    row_.clear();
    std::string_view turns;
    std::size_t turns_at = 0;
    read_members(line, 0, row_,
                 [&](std::string_view value, std::size_t at) { turns = value, turns_at = at; });
    if (turns.empty() && collection_.settle(row_)) {
      collection_.keep(row_);
    } else if (turns.empty() || !read_turns(turns, turns_at)) {
      collection_.count_bad(row_, here(row_.bad_at));
    }
  }

  /// Takes the members of an object that begins at `begin` of its line.
  template <class Turns>
  static void read_members(std::string_view object, std::size_t begin, TraceRow& row, Turns turns) {
    const auto broken =
        for_each_json<'{'>(object, [&](std::string_view key, std::string_view value, std::size_t at) {
          const Column* column = column_named(key);
          if (column == nullptr) return;
          if (column->role == Role::turns) return turns(value, at);
          const bool list = column->role == Role::blocks || column->role == Role::prompt_ids ||
                            column->role == Role::output_ids;
          if (list != value.starts_with('['))
            return row.refuse(std::string{key} + (list ? ": a list is needed" : ": a list"), begin + at);
          if (list || value.starts_with('"')) value = value.substr(1, value.size() - 2);
          row.set(*column, value == "null" ? std::string_view{} : value, begin + at);
        });
    if (broken) row.refuse("is no JSON: " + std::string{broken->what} + " is needed", begin + broken->at);
  }

  /// The requests of a session, each after the one before. returns  whether all are some; row_ says why not
  bool read_turns(std::string_view list, std::size_t begin) {
    std::vector<TraceRow> turns;
    const auto none = [](std::string_view, std::size_t) {};
    const auto broken = for_each_json<'['>(list, [&](std::string_view item, std::size_t at) {
      TraceRow& turn = turns.emplace_back();
      read_members(item, begin + at, turn, none);
      if (turn.arrival) turn.refuse("a request of a session has an arrival of its own", begin + at);
      turn.arrival = row_.arrival;
      if (!collection_.settle(turn)) row_.refuse(turn.bad, turn.bad_at);
    });
    if (broken) row_.refuse("is no JSON: " + std::string{broken->what} + " is needed", begin + broken->at);
    if (turns.empty()) row_.refuse("sub_requests has none", begin);
    if (!row_.bad.empty()) return false;
    collection_.keep_session(turns);
    return true;
  }

  std::string_view text_;
  const std::string& file_;
  Collection collection_;
  std::vector<const Column*> header_;
  int line_ = 1;
  TraceRow row_;
};

}  // namespace

Result<RequestTrace> read_trace(std::string_view text, const std::string& file, std::int64_t block_tokens) {
  return Reading(text, file, block_tokens).read();
}

}  // namespace inferometer
