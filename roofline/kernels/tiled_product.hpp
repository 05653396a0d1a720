#pragma once
#include "roofline/kernels/chip.hpp"

namespace inferometer {

/// `heads` products y [m, n] = x [m, k] W [k, n] that one kernel computes.
struct Products {
  double heads = 1, m = 1, n = 1, k = 1;
  double input_bytes = 2, weight_bytes = 2;  ///< an element
  double bytes() const { return heads * (m * k * input_bytes + k * n * weight_bytes + 2 * m * n); }
};

/// What tiles of a kernel reach; units and meaning as in Gemm's parameters.
struct TileRates {
  double flops = 1;                      ///< FLOP/us of all multiprocessors
  double efficiency = 1, half_tile = 8;  ///< 1
  double l2_feed = 70;                   ///< B/cycle and multiprocessor
  double ramp = 0.5, epilogue = 0.6;     ///< us
  double whole_waves = 0.3;              ///< 1
  int splits = 1;                        ///< parts of k at most, none shorter than 256
};

/// returns  us of the best tile shape and split of k, fed from L2
/// source   NVIDIA, "Matrix Multiplication Background User's Guide": tile and wave quantisation
double tiles_time(const Products& of, const TileRates& rates, const Chip& chip);

}  // namespace inferometer
