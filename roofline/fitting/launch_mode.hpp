#pragma once
#include <optional>

#include "model/names.hpp"
#include "model/units.hpp"

namespace inferometer {

/// How kernels follow each other: launched one by one or replayed as one recorded graph, each set up while
/// the one before drains or not.
enum class LaunchMode : std::uint8_t { eager, eager_overlap, graph, graph_overlap };
template <>
struct Names<LaunchMode> {
  static constexpr std::array list{std::pair{LaunchMode::eager, std::string_view{"eager"}},
                                   std::pair{LaunchMode::eager_overlap, std::string_view{"eager_overlap"}},
                                   std::pair{LaunchMode::graph, std::string_view{"graph"}},
                                   std::pair{LaunchMode::graph_overlap, std::string_view{"graph_overlap"}}};
};
constexpr bool overlaps(LaunchMode mode) {
  return mode == LaunchMode::eager_overlap || mode == LaunchMode::graph_overlap;
}
constexpr bool recorded(LaunchMode mode) {
  return mode == LaunchMode::graph || mode == LaunchMode::graph_overlap;
}
constexpr LaunchMode launch_mode(bool recorded, bool overlap) {
  return recorded ? (overlap ? LaunchMode::graph_overlap : LaunchMode::graph)
                  : (overlap ? LaunchMode::eager_overlap : LaunchMode::eager);
}

/// Gaps between the kernels of a step in one launch mode. A library's kernel is not set up while the one
/// before drains, nor is the one behind it: the gaps on both sides of it are of their own, and counted with
/// it.
struct Gaps {
  Seconds between{0};                    ///< other kernels
  Seconds at_library{0};                 ///< before and behind a library's kernel
  std::optional<Seconds> dispatch = {};  ///< the host's time for one eager launch; absent: not known
};

/// The gaps of kernels one after another, each counted with the kernel that it is before, and those behind a
/// library's kernel with that.
class GapWalk {
 public:
  explicit GapWalk(const Gaps& gaps) : gaps_(gaps) {}
  Seconds next(bool library) {
    const int at_library = library ? behind_library_ ? 1 : 2 : 0;
    behind_library_ = library;
    return gaps_.between + at_library * (gaps_.at_library - gaps_.between);
  }

 private:
  Gaps gaps_;
  bool behind_library_ = false;
};

}  // namespace inferometer
