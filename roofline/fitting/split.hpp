#pragma once
#include <cstdint>
#include <vector>

#include "model/names.hpp"
#include "roofline/fitting/sample.hpp"

namespace inferometer {

/// What stays together when samples are split: all calls of a shape, or nothing.
enum class SplitBy : std::uint8_t { group, row };
template <>
struct Names<SplitBy> {
  static constexpr std::array list{std::pair{SplitBy::group, std::string_view{"group"}},
                                   std::pair{SplitBy::row, std::string_view{"row"}}};
};

/// Which samples are fitted: `fraction` of them, or a little more where whole shapes are kept together. The
/// same for the same samples and seed, on any machine.
std::vector<bool> fitted_part(const std::vector<Sample>& samples, double fraction, SplitBy by,
                              std::uint64_t seed);

}  // namespace inferometer
