#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "traffic/columns.hpp"

namespace inferometer {

/// Of a request; a session's history counts.
inline constexpr std::int64_t most_prompt_tokens = 100'000'000;

/// One row of a trace while it is read; texts point into the file. Times in ns.
struct TraceRow {
  std::optional<std::int64_t> arrival, prompt, output, elapsed, end;
  std::int64_t pause = 0, prefix_length = 0, images = 0;
  std::string_view session, prefix_group;
  bool seconds = false;
  std::vector<std::uint64_t> blocks, prompt_ids, output_ids;
  std::int64_t block_tokens = 0;  ///< of an identity

  std::string bad;         ///< why it is no request, the first reason
  std::size_t bad_at = 0;  ///< place in the line, from 0
  void refuse(std::string why, std::size_t at) {
    if (bad.empty()) bad = std::move(why), bad_at = at;
  }

  /// Whether its group says what its first tokens are.
  bool begins_with_prefix() const { return blocks.empty() && !prefix_group.empty() && prefix_length > 0; }
  /// Takes the text of a cell, or refuses the row. An empty cell of what a row need not have says nothing.
  void set(const Column& column, std::string_view text, std::size_t at);
  /// Names the full blocks of its tokens, prompt and output, each by all tokens up to its end.
  void identify_tokens(std::int64_t block);
  /// Forgets what a row said; buffers stay.
  void clear();

 private:
  unsigned said_ = 0;  // a bit for each role
};

}  // namespace inferometer
