#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/units.hpp"

namespace inferometer {

/// One request to a server. Output lengths are pinned; end-of-text is ignored.
struct Request {
  Nanoseconds arrival{0};  ///< since the start; of a request that waits for another: since that one ended
  std::int32_t prompt_tokens = 1;  ///< what was said before in a session included
  std::int32_t output_tokens = 1;  ///< the first comes with the prompt's last chunk
  std::int32_t after = -1;         ///< index of the request that has to end first (a session), -1: none
  /// Identities of the leading blocks of prompt and output, in Traffic::blocks from `first_block` on: equal
  /// identities mean equal tokens up to and including the block. Traces know them of prompts only.
  std::int64_t first_block = 0;
  std::int32_t blocks = 0;
};

/// What is asked of a server.
struct Traffic {
  std::vector<Request> requests;  ///< by arrival; each one that waits for another stands behind it
  std::vector<std::uint64_t> blocks;
  std::int64_t block_tokens = 0;  ///< of one identity; 0: prompts share nothing
  /// Closed loop: so many requests are in the system while there are any, in the order of `requests`; their
  /// arrivals are then ignored. Of sessions so many go on, those that think included. 0: open loop.
  std::int64_t concurrency = 0;
  /// From when a client sends a request until the engine has it, and a token's way back, together. Who waits
  /// for a request's end waits for that as well.
  Seconds client_delay{0};
  std::string source;  ///< for reports: file and what was read of it, or how it was drawn
  std::vector<std::string>
      bad_rows;  ///< of the file that are no requests: "line 7: why"; the first ten thousand

  std::span<const std::uint64_t> blocks_of(const Request& r) const {
    return std::span{blocks}.subspan(static_cast<std::size_t>(r.first_block),
                                     static_cast<std::size_t>(r.blocks));
  }
};

}  // namespace inferometer
