#include "traffic/recorded.hpp"

#include <algorithm>
#include <unordered_map>

namespace inferometer {
namespace {

constexpr std::size_t index(std::int32_t i) { return static_cast<std::size_t>(i); }

void chain_sessions(std::vector<Recorded>& all) {
  std::unordered_map<std::string_view, std::vector<std::int32_t>> sessions;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i].session.empty()) sessions[all[i].session].push_back(static_cast<std::int32_t>(i));
  }
  for (auto& [session, members] : sessions) {
    std::stable_sort(members.begin(), members.end(), [&](std::int32_t a, std::int32_t b) {
      return all[index(a)].request.arrival < all[index(b)].request.arrival;
    });
    // From the last one on: a link turns an arrival into a distance.
    for (std::size_t m = members.size(); m-- > 1;) {
      const Recorded& before = all[index(members[m - 1])];
      Request& r = all[index(members[m])].request;
      if (!before.end || *before.end > r.arrival) continue;
      r.after = members[m - 1];
      r.arrival -= *before.end;
    }
  }
}

}  // namespace

std::vector<Request> in_order(std::vector<Recorded> all) {
  chain_sessions(all);
  std::vector<std::int32_t> order, next(all.size(), -1);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::int32_t after = all[i].request.after;
    (after < 0 ? order.emplace_back() : next[index(after)]) = static_cast<std::int32_t>(i);
  }
  const auto arrival = [&](std::int32_t i) { return all[index(i)].request.arrival; };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int32_t a, std::int32_t b) { return arrival(a) < arrival(b); });
  const Nanoseconds first = order.empty() ? Nanoseconds{0} : arrival(order.front());
  std::vector<Request> requests;
  requests.reserve(all.size());
  for (const std::int32_t begin : order) {
    for (std::int32_t i = begin; i >= 0; i = next[index(i)]) {
      requests.push_back(all[index(i)].request);
      if (i == begin) {
        requests.back().arrival -= first;
      } else {
        requests.back().after = static_cast<std::int32_t>(requests.size()) - 2;
      }
    }
  }
  return requests;
}

}  // namespace inferometer
