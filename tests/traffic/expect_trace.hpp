#pragma once
#include <gtest/gtest.h>

#include "traffic/trace.hpp"

namespace inferometer::traffic_test {

inline RequestTrace read(std::string_view text, std::int64_t block_tokens = 0) {
  Result<RequestTrace> trace = read_trace(text, "t", block_tokens);
  if (trace) return std::move(*trace);
  ADD_FAILURE() << to_string(trace.error());
  return {};
}

/// Without the last line's end.
inline std::string told(const Errors& errors) {
  std::string text = to_string(errors);
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

inline std::string errors(std::string_view text, std::int64_t block_tokens = 0) {
  const Result<RequestTrace> trace = read_trace(text, "t", block_tokens);
  return trace ? "read" : told(trace.error());
}

/// "arrival in ns:prompt:output[:after]" of each request.
inline std::string shown(const RequestTrace& trace) {
  std::string text;
  for (const Request& r : trace.traffic.requests) {
    text += (text.empty() ? "" : " ") + std::to_string(r.arrival.count()) + ":" +
            std::to_string(r.prompt_tokens) + ":" + std::to_string(r.output_tokens);
    if (r.after >= 0) text += ":" + std::to_string(r.after);
  }
  return text;
}

inline std::vector<std::uint64_t> blocks(const Traffic& traffic, std::size_t request) {
  const auto span = traffic.blocks_of(traffic.requests[request]);
  return {span.begin(), span.end()};
}

}  // namespace inferometer::traffic_test
