#pragma once
#include "model/device.hpp"
#include "model/result.hpp"
#include "model/structure.hpp"

namespace inferometer {

/// What `structure` needs and `device` does not have: a matrix rate for the dtype of a product, links for
/// collectives.
Errors unsupported(const Structure& structure, const Device& device);

}  // namespace inferometer
