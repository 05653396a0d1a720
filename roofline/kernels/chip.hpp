#pragma once
#include "model/device.hpp"

namespace inferometer {

/// A device in the units that kernel models are written in: microseconds, bytes, cycles.
struct Chip {
  double sms = 1;         ///< streaming multiprocessors
  double clock = 1;       ///< cycles per us
  double bandwidth = 1;   ///< of memory, B/us
  double l2 = 0;          ///< B
  double flops = 1;       ///< FLOP/us of matrix products in the dtype asked for
  double bf16_flops = 1;  ///< of products in bf16
  double link = 0;        ///< B/us to a peer, one direction; 0: the device states none

  /// With its multiprocessors at so much of their clock; memory and links keep theirs.
  Chip at_clock(double part) const {
    Chip slower = *this;
    slower.clock *= part;
    slower.flops *= part;
    slower.bf16_flops *= part;
    return slower;
  }
  /// Matrix FLOP per cycle and multiprocessor in bf16, relative to Hopper's 4096: the generation. What feeds
  /// the matrix units grew with them.
  double generation() const { return bf16_flops / (sms * clock) / 4096; }
};

/// requires nothing: a dtype without a matrix rate of its own runs at the next wider one's
Chip chip_of(const Device& device, DType multiplied);

}  // namespace inferometer
