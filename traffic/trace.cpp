#include "traffic/trace.hpp"

#include <unordered_map>

#include "model/seeded.hpp"
#include "traffic/csv_line.hpp"
#include "traffic/json_line.hpp"
#include "traffic/recorded.hpp"
#include "traffic/row.hpp"

namespace inferometer {
namespace {

using Role = Column::Role;

class Reading {
 public:
  Reading(std::string_view text, const std::string& file, std::int64_t block_tokens)
      : text_(text), file_(file), stated_block_tokens_(block_tokens) {}

  Result<Trace> read() {
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
      if (unsized_) return failure(unsized_->message, unsized_->where);
    }
    if (recorded_.empty()) {
      if (!trace_.first_bad.empty()) return failure(trace_.first_bad);
      return failure("no request is in it", {file_, 1, 1});
    }
    if (stated_block_tokens_ > 0 && trace_.traffic.block_tokens == 0)
      return failure("no identities of blocks are in it, but a size of them is given", {file_, 1, 1});
    trace_.traffic.requests = in_order(std::move(recorded_));
    return std::move(trace_);
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
    if (check(row_)) {
      keep(row_);
    } else {
      count_bad(row_);
    }
  }

  void read_json(std::string_view line) {
    row_.clear();
    std::string_view turns;
    std::size_t turns_at = 0;
    read_members(line, 0, row_,
                 [&](std::string_view value, std::size_t at) { turns = value, turns_at = at; });
    if (turns.empty() && check(row_)) {
      keep(row_);
    } else if (turns.empty() || !read_turns(turns, turns_at)) {
      count_bad(row_);
    }
  }

  /// Takes the members of an object that begins at `begin` of its line.
  template <class Turns>
  static void read_members(std::string_view object, std::size_t begin, Row& row, Turns turns) {
    const auto broken =
        for_each_json<'{'>(object, [&](std::string_view key, std::string_view value, std::size_t at) {
          const Column* column = column_named(key);
          if (column == nullptr) return;
          if (column->role == Role::turns) return turns(value, at);
          const bool list = column->role == Role::blocks;
          if (list != value.starts_with('['))
            return row.refuse(std::string{key} + (list ? ": a list is needed" : ": a list"), begin + at);
          if (list || value.starts_with('"')) value = value.substr(1, value.size() - 2);
          row.set(*column, value == "null" ? std::string_view{} : value, begin + at);
        });
    if (broken) row.refuse("is no JSON: " + std::string{broken->what} + " is needed", begin + broken->at);
  }

  /// The requests of a session, each after the one before. returns  whether all are some; row_ says why not
  bool read_turns(std::string_view list, std::size_t begin) {
    std::vector<Row> turns;
    const auto none = [](std::string_view, std::size_t) {};
    const auto broken = for_each_json<'['>(list, [&](std::string_view item, std::size_t at) {
      Row& turn = turns.emplace_back();
      read_members(item, begin + at, turn, none);
      if (turn.arrival) turn.refuse("a request of a session has an arrival of its own", begin + at);
      turn.arrival = row_.arrival;
      if (!check(turn)) row_.refuse(turn.bad, turn.bad_at);
    });
    if (broken) row_.refuse("is no JSON: " + std::string{broken->what} + " is needed", begin + broken->at);
    if (turns.empty()) row_.refuse("sub_requests has none", begin);
    if (!row_.bad.empty()) return false;
    for (std::size_t i = 0; i < turns.size(); ++i) {
      keep(turns[i]);
      if (i == 0) continue;
      recorded_.back().request.after = static_cast<std::int32_t>(recorded_.size()) - 2;
      recorded_.back().request.arrival = Nanoseconds{turns[i - 1].pause};
    }
    return true;
  }

  /// Whether a row is a request; it says why not.
  bool check(Row& row) {
    if (!row.prompt) row.refuse("has no prompt tokens", 0);
    if (!row.output) row.refuse("has no output tokens", 0);
    if (row.seconds && row.arrival) {
      constexpr std::int64_t most = 8'000'000'000'000'000;
      if (*row.arrival > most) row.refuse("arrives too late", 0);
      row.arrival = std::min(*row.arrival, most) * 1000;
    }
    if (!recorded_.empty() && trace_.has_arrivals != row.arrival.has_value())
      row.refuse(row.arrival ? "has an arrival, others have none" : "has no arrival", 0);
    if (!row.bad.empty()) return false;
    const bool prefix = row.begins_with_prefix();
    if (prefix) *row.prompt += row.prefix_length;
    if (*row.prompt > 100'000'000) row.refuse("has a prompt of more than 100000000 tokens", 0);
    if (prefix || !row.blocks.empty()) check_blocks(row, block_size(prefix ? 16 : row.block_tokens));
    return row.bad.empty();
  }

  void check_blocks(Row& row, std::int64_t size) {
    row.block_tokens = size;
    if (size == 0) return;
    const std::int64_t count = std::ssize(row.blocks), earlier = trace_.traffic.block_tokens;
    if (count > (*row.prompt + size - 1) / size)
      row.refuse("has " + std::to_string(count) + " blocks of " + std::to_string(size) +
                     " tokens, more than its prompt of " + std::to_string(*row.prompt) +
                     " tokens; is block_tokens another?",
                 0);
    if (earlier != 0 && earlier != size)
      row.refuse("has blocks of " + std::to_string(size) + " tokens, others of " + std::to_string(earlier),
                 0);
  }

  /// Tokens of an identity where the format says `format`; where nobody says it, the reading fails.
  std::int64_t block_size(std::int64_t format) {
    const std::int64_t size = stated_block_tokens_ > 0 ? stated_block_tokens_ : format;
    if (size == 0)
      unsized_ = Error{
          "the format does not say how many tokens an identity of a block stands for; block_tokens "
          "is needed",
          here(0)};
    return size;
  }

  void keep(const Row& row) {
    trace_.has_arrivals = row.arrival.has_value();
    trace_.images += row.images;
    Request request{.arrival = Nanoseconds{row.arrival.value_or(0)},
                    .prompt_tokens = static_cast<std::int32_t>(*row.prompt),
                    .output_tokens = static_cast<std::int32_t>(*row.output)};
    std::vector<std::uint64_t>& blocks = trace_.traffic.blocks;
    if (!row.blocks.empty()) {
      trace_.traffic.block_tokens = row.block_tokens;
      request.first_block = std::ssize(blocks);
      request.blocks = static_cast<std::int32_t>(row.blocks.size());
      blocks.insert(blocks.end(), row.blocks.begin(), row.blocks.end());
    } else if (row.begins_with_prefix()) {
      share_prefix(row, request);
    }
    std::optional<Nanoseconds> end;
    if (row.arrival && row.elapsed) end = Nanoseconds{*row.arrival + *row.elapsed};
    if (row.arrival && row.end && *row.end >= *row.arrival) end = Nanoseconds{*row.end};
    recorded_.push_back({request, row.session, end});
  }

  /// The identities of a group's prefix. Rows share their storage.
  void share_prefix(const Row& row, Request& request) {
    trace_.traffic.block_tokens = row.block_tokens;
    std::vector<std::uint64_t>& blocks = trace_.traffic.blocks;
    request.blocks = static_cast<std::int32_t>(row.prefix_length / row.block_tokens);
    auto& [first, count] = prefixes_[row.prefix_group];
    if (request.blocks > count) {
      first = std::ssize(blocks), count = request.blocks;
      const std::uint64_t key = tensor_key(0, row.prefix_group);
      for (std::int32_t i = 0; i < count; ++i) blocks.push_back(mix(key + static_cast<std::uint64_t>(i)));
    }
    request.first_block = first;
  }

  void count_bad(Row& row) {
    constexpr std::size_t listed = 5;
    ++trace_.bad_rows;
    if (trace_.first_bad.size() < listed) trace_.first_bad.push_back({row.bad, here(row.bad_at)});
  }

  std::string_view text_;
  const std::string& file_;
  std::int64_t stated_block_tokens_;
  std::vector<const Column*> header_;
  int line_ = 1;
  Row row_;
  std::optional<Error> unsized_;
  std::unordered_map<std::string_view, std::pair<std::int64_t, std::int32_t>> prefixes_;
  std::vector<Recorded> recorded_;
  Trace trace_;
};

}  // namespace

Result<Trace> read_trace(std::string_view text, const std::string& file, std::int64_t block_tokens) {
  return Reading(text, file, block_tokens).read();
}

}  // namespace inferometer
