#pragma once
#include <cstdint>
#include <string_view>

namespace inferometer {

/// What a column of a trace means.
struct Column {
  enum class Role : std::uint8_t {
    arrival,        ///< a number; `scale` ns of one unit, 0: a date and time
    prompt,         ///< tokens
    output,         ///< tokens
    blocks,         ///< identities of the prompt's blocks; `scale` tokens of each, 0: the format does not say
    prompt_ids,     ///< the tokens of the prompt,
    output_ids,     ///< and of the output
    session,        ///< rows of one session have the same text here
    elapsed,        ///< from arrival to end as it was recorded; `scale` ns
    end,            ///< when it ended as it was recorded; `scale` ns
    pause,          ///< from this one's end to the next one of its session; `scale` ns
    turns,          ///< a list of the session's requests (JSON)
    prefix_group,   ///< rows of one group begin with the same tokens,
    prefix_length,  ///< so many, which come before those of the prompt column
    images,         ///< that come with the prompt
    seconds         ///< its presence says that arrivals are in s, not ms
  } role;
  std::string_view name;
  std::int64_t scale = 1;
};

/// Columns and keys of traces, by exact name; null: it says nothing that is needed.
const Column* column_named(std::string_view name);

/// "arrived_at, num_prefill_tokens, ..." for messages.
std::string_view known_columns();

}  // namespace inferometer
