#pragma once
#include "model/names.hpp"

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
constexpr LaunchMode launch_mode(bool recorded, bool overlap) {
  return recorded ? (overlap ? LaunchMode::graph_overlap : LaunchMode::graph)
                  : (overlap ? LaunchMode::eager_overlap : LaunchMode::eager);
}

}  // namespace inferometer
