#include "traffic/trace.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "traffic/columns.hpp"

namespace inferometer {
namespace {

using Role = Column::Role;

/// One row while it is read.
struct Row {
  std::optional<std::int64_t> arrival, prompt, output;
  std::size_t first_block = 0;  // in Traffic::blocks
  std::string bad;              // why it is none
  std::size_t bad_at = 0;       // column of the text, from 0

  void refuse(std::string why, std::size_t at) {
    if (bad.empty()) bad = std::move(why), bad_at = at;
  }
};

std::string_view trimmed(std::string_view t) {
  while (!t.empty() && (t.front() == ' ' || t.front() == '\t')) t.remove_prefix(1);
  while (!t.empty() && (t.back() == ' ' || t.back() == '\t' || t.back() == '\r')) t.remove_suffix(1);
  return t;
}

class Reading {
 public:
  Reading(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  Result<Trace> read() {
    if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);
    const std::size_t first = text_.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return failure("there is nothing in it", {file_, 1, 1});
    const bool json = text_[first] == '{';
    std::vector<std::pair<const Column*, bool>> header;
    for (std::size_t at = 0; at < text_.size(); ++line_) {
      const std::size_t end = std::min(text_.find('\n', at), text_.size());
      const std::string_view line = text_.substr(at, end - at);
      at = end + 1;
      if (trimmed(line).empty()) continue;
      if (!json && header_.empty()) {
        if (Done done = read_header(line); !done) return failure(done.error());
        continue;
      }
      Row row{.first_block = trace_.traffic.blocks.size()};
      json ? read_object(line, row) : read_cells(line, row);
      keep(row);
    }
    if (trace_.traffic.requests.empty()) {
      if (!trace_.first_bad.empty()) return failure(trace_.first_bad);
      return failure("no request is in it", {file_, 1, 1});
    }
    put_in_order();
    return std::move(trace_);
  }

 private:
  Done read_header(std::string_view line) {
    bool prompts = false, outputs = false;
    for_each_cell(line, [&](std::string_view cell, std::size_t) {
      header_.push_back(column_named(cell));
      const Column* c = header_.back();
      prompts |= c != nullptr && c->role == Role::prompt;
      outputs |= c != nullptr && c->role == Role::output;
      if (c != nullptr && c->role == Role::blocks) trace_.traffic.block_tokens = c->scale;
    });
    if (prompts && outputs) return std::monostate{};
    return failure("no column for " + std::string{prompts ? "outputs" : "prompts"} + "; known columns are " +
                       std::string{known_columns()},
                   {file_, line_, 1});
  }

  template <class Visit>
  static void for_each_cell(std::string_view line, Visit visit) {
    for (std::size_t at = 0; at <= line.size();) {
      std::size_t end = line.find(',', at);
      if (at < line.size() && line[at] == '"') {  // quoted: up to the closing quote
        const std::size_t quote = line.find('"', at + 1);
        end = quote == std::string_view::npos ? end : line.find(',', quote);
      }
      end = std::min(end, line.size());
      std::string_view cell = trimmed(line.substr(at, end - at));
      if (cell.size() >= 2 && cell.front() == '"' && cell.back() == '"')
        cell = cell.substr(1, cell.size() - 2);
      visit(cell, at);
      at = end + 1;
    }
  }

  void read_cells(std::string_view line, Row& row) {
    std::size_t i = 0;
    for_each_cell(line, [&](std::string_view cell, std::size_t at) {
      if (i < header_.size() && header_[i] != nullptr) value(*header_[i], cell, at, row);
      ++i;
    });
    if (i != header_.size())
      row.refuse("has " + std::to_string(i) + " cells, the header " + std::to_string(header_.size()), 0);
  }

  /// {"key": number | "text" | [numbers] | other, ...}
  void read_object(std::string_view line, Row& row) {
    std::size_t at = line.find('{');
    if (at == std::string_view::npos) return row.refuse("is no JSON object", 0);
    ++at;
    const auto skip = [&](std::string_view of) {
      at = std::min(line.find_first_not_of(of, at), line.size());
    };
    while (true) {
      skip(" \t,");
      if (at >= line.size()) return row.refuse("ends inside an object", line.size());
      if (line[at] == '}') return;
      const std::size_t key_end = line[at] == '"' ? line.find('"', at + 1) : std::string_view::npos;
      if (key_end == std::string_view::npos) return row.refuse("a key is needed", at);
      const std::string_view key = line.substr(at + 1, key_end - at - 1);
      at = key_end + 1;
      skip(" \t:");
      const std::size_t start = at;
      const std::size_t end = end_of_value(line, at);
      if (end == std::string_view::npos) return row.refuse("ends inside a value", line.size());
      std::string_view text = trimmed(line.substr(start, end - start));
      at = end;
      const Column* column = column_named(key);
      if (column == nullptr) continue;
      const bool list = column->role == Role::blocks;
      if (list != text.starts_with('[')) {
        row.refuse(std::string{key} + (list ? ": a list is needed" : ": a number is needed"), start);
        continue;
      }
      if (list) {
        trace_.traffic.block_tokens = column->scale;
        text = text.substr(1, text.size() - 2);
      } else if (text.starts_with('"') && text.size() >= 2) {
        text = text.substr(1, text.size() - 2);
      }
      value(*column, text, start, row);
    }
  }

  /// Behind a JSON value that starts at `at`.
  static std::size_t end_of_value(std::string_view line, std::size_t at) {
    int depth = 0;
    bool quoted = false;
    for (; at < line.size(); ++at) {
      const char c = line[at];
      if (quoted) {
        if (c == '\\') ++at;
        if (c == '"') quoted = false;
        continue;
      }
      if (c == '"') quoted = true;
      if (c == '[' || c == '{') ++depth;
      if ((c == ']' || c == '}') && depth-- == 0) return at;
      if (c == ',' && depth == 0) return at;
    }
    return std::string_view::npos;
  }

  void value(const Column& column, std::string_view text, std::size_t at, Row& row) {
    const auto wrong = [&](const char* what) {
      row.refuse(std::string{column.name} + ": \"" + std::string{text.substr(0, 40)} + "\" is " + what, at);
    };
    if (column.role == Role::blocks) {
      if (!read_blocks(text)) wrong("no list of numbers and ranges");
      return;
    }
    if (column.role == Role::timestamp) {
      row.arrival = parse_timestamp(text);
      if (!row.arrival) wrong("no time such as 2023-11-16 18:15:46.6805900");
      return;
    }
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(number))
      return wrong("no number");
    if (column.role == Role::arrival) {
      const double scaled = number * static_cast<double>(column.scale);
      if (number < 0 || scaled > 9e18) return wrong("out of range");
      row.arrival = static_cast<std::int64_t>(scaled + 0.5);
      return;
    }
    if (number < 1 || number > 100'000'000 || number != std::floor(number))
      return wrong("no number of tokens from 1 on");
    (column.role == Role::prompt ? row.prompt : row.output) = static_cast<std::int64_t>(number);
  }

  /// Numbers and inclusive ranges a-b, apart by spaces or commas.
  bool read_blocks(std::string_view text) {
    const char *p = text.data(), *last = p + text.size();
    while (true) {
      while (p != last && (*p == ' ' || *p == ',')) ++p;
      if (p == last) return true;
      std::uint64_t from = 0;
      auto [end, error] = std::from_chars(p, last, from);
      if (error != std::errc{}) return false;
      std::uint64_t to = from;
      if (end != last && *end == '-') {
        const auto [after, wrong] = std::from_chars(end + 1, last, to);
        if (wrong != std::errc{} || to < from || to - from > 1'000'000) return false;
        end = after;
      }
      for (std::uint64_t b = from; b <= to; ++b) trace_.traffic.blocks.push_back(b);
      p = end;
    }
  }

  void keep(Row& row) {
    if (row.bad.empty() && !row.prompt) row.refuse("has no prompt tokens", 0);
    if (row.bad.empty() && !row.output) row.refuse("has no output tokens", 0);
    if (row.bad.empty() && !trace_.traffic.requests.empty() && trace_.has_arrivals != row.arrival.has_value())
      row.refuse(row.arrival ? "has an arrival, others have none" : "has no arrival", 0);
    if (!row.bad.empty()) {
      constexpr std::size_t listed = 5;
      ++trace_.bad_rows;
      trace_.traffic.blocks.resize(row.first_block);
      if (trace_.first_bad.size() < listed)
        trace_.first_bad.push_back({std::move(row.bad), {file_, line_, static_cast<int>(row.bad_at) + 1}});
      return;
    }
    trace_.has_arrivals = row.arrival.has_value();
    trace_.traffic.requests.push_back(
        {.arrival = Nanoseconds{row.arrival.value_or(0)},
         .prompt_tokens = static_cast<std::int32_t>(*row.prompt),
         .output_tokens = static_cast<std::int32_t>(*row.output),
         .first_block = static_cast<std::int64_t>(row.first_block),
         .blocks = static_cast<std::int32_t>(trace_.traffic.blocks.size() - row.first_block)});
  }

  void put_in_order() {
    std::vector<Request>& all = trace_.traffic.requests;
    std::stable_sort(all.begin(), all.end(),
                     [](const Request& a, const Request& b) { return a.arrival < b.arrival; });
    const Nanoseconds first = all.front().arrival;
    for (Request& r : all) r.arrival -= first;
  }

  std::string_view text_;
  const std::string& file_;
  std::vector<const Column*> header_;
  int line_ = 1;
  Trace trace_;
};

}  // namespace

Result<Trace> read_trace(std::string_view text, const std::string& file) {
  return Reading(text, file).read();
}

}  // namespace inferometer
