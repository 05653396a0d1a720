#include "model/product_behind.hpp"

namespace inferometer {

std::optional<std::size_t> product_behind(const Structure& structure, std::size_t last,
                                          const Features& features) {
  if (last + 1 == structure.nodes.size()) return std::nullopt;
  const NodeRange kernel = kernel_of(structure, last + 1, features);
  for (std::size_t i = kernel.first; i <= kernel.last; ++i) {
    if (std::holds_alternative<Linear>(structure.nodes[i].op)) return i;
  }
  return std::nullopt;
}

}  // namespace inferometer
