#include "roofline/support.hpp"

#include <set>

#include "roofline/work.hpp"

namespace inferometer {

Errors unsupported(const Structure& structure, const Device& device) {
  Errors errors;
  std::set<DType> told;
  for (const StructureNode& node : structure.nodes) {
    const Work work = work_of(node.op);
    // f32 products fall back on the vector units, which every device has.
    const bool missing = work.product && work.dtype != DType::f32 && !device.matrix.contains(work.dtype);
    if (missing && told.insert(work.dtype).second) {
      errors.push_back({device.name + " has no matrix rate for " + std::string{name(work.dtype)} +
                        ", which \"" + node.name + "\" multiplies in"});
    }
    const bool hands_over = node.role == Role::hand_over;
    const char* needs = hands_over ? "parallel.pipeline" : work.sums ? "parallel.tensor" : "parallel.data";
    if ((work.ranks > 1 || hands_over) && !device.link_bandwidth) {
      errors.push_back({device.name + " has no links to peers, which " + needs + " needs"});
      return errors;
    }
  }
  return errors;
}

}  // namespace inferometer
