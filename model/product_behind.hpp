#pragma once
#include <optional>

#include "model/structure.hpp"

namespace inferometer {

/// The first product in the kernel that runs behind node `last`, which ends another.
std::optional<std::size_t> product_behind(const Structure& structure, std::size_t last,
                                          const Features& features);

}  // namespace inferometer
