#pragma once
#include <optional>
#include <string_view>
#include <vector>

#include "model/traffic.hpp"

namespace inferometer {

/// A request as a file has it.
struct Recorded {
  Request request;                 ///< `after` and pauses are set where the file says what waits for what
  std::string_view session;        ///< empty: none
  std::optional<Nanoseconds> end;  ///< when it ended then, on the clock of `request.arrival`
};

/// The requests in the order that Traffic asks for: those that wait for none by arrival, counted from the
/// first, each with what follows it behind.
///
/// Within a session, a request that came when its predecessor had ended waits for that, and then as long as
/// it waited then. It keeps its arrival where it came before that, or no end was recorded: how long the
/// predecessor took then says nothing of how long it takes now.
std::vector<Request> in_order(std::vector<Recorded> recorded);

}  // namespace inferometer
