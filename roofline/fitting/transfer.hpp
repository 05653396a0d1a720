#pragma once
#include <cstdint>
#include <vector>

#include "roofline/fitting/validation.hpp"

namespace inferometer {

struct TransferOptions {
  Level level = Level::calibrated;  ///< or residual_corrected
  std::uint64_t seed = 1;           ///< of the draw
  std::size_t rows = 1250;          ///< of an operator and variant drawn from each device, at most
};

/// What predictions of one device by measurements of others come to.
struct Transfer {
  std::vector<Validation> validations;
  std::vector<OperatorAndVariant> not_predicted;  ///< measured on none of the other devices
};

/// Predicts samples of a device that no fit sees, by models fitted to samples of others: one set of values
/// for all of them, so that what differs between devices is what a model takes from a Chip. Intervals are
/// what each fitted device is missed by when it is left out; where a single one has been measured there are
/// none.
///
/// fitted  samples of each device, at least one device
Transfer transfer(const std::vector<std::vector<Sample>>& fitted, const std::vector<Sample>& predicted,
                  const TransferOptions& options);

}  // namespace inferometer
