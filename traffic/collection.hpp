#pragma once
#include <optional>
#include <span>
#include <unordered_map>

#include "traffic/recorded.hpp"
#include "traffic/row.hpp"
#include "traffic/trace.hpp"

namespace inferometer {

/// The requests among the rows of a file, as they come.
class Collection {
 public:
  /// stated_block_tokens  as read_trace has it
  explicit Collection(std::int64_t stated_block_tokens) : stated_(stated_block_tokens) {}

  /// Puts together what a row says. returns  whether it is a request; the row says why not
  bool settle(TraceRow& row);
  /// requires  settled rows; of a session, each after the one before it
  void keep(const TraceRow& row);
  void keep_session(std::span<const TraceRow> turns);
  void count_bad(const TraceRow& row, Location where);

  /// Whether blocks had identities of which nobody says how many tokens they stand for.
  bool lacks_block_tokens() const { return lacks_block_tokens_; }
  /// Once, at the end. errors  without a place: none is a request, sizes of blocks that are not there
  Result<RequestTrace> finish();

 private:
  void identify(TraceRow& row);
  void check_blocks(TraceRow& row);
  void share_prefix(const TraceRow& row, Request& request);

  std::int64_t stated_;
  bool lacks_block_tokens_ = false;
  std::unordered_map<std::string_view, std::pair<std::int64_t, std::int32_t>> prefixes_;  // first, count
  std::vector<Recorded> recorded_;
  RequestTrace trace_;
};

}  // namespace inferometer
