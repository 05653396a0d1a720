#pragma once
#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "roofline/kernels/chip.hpp"
#include "roofline/kernels/kernel_time.hpp"
#include "roofline/kernels/parameter.hpp"

namespace inferometer {

/// A kernel that reads and writes rows and does little with them: norms, rotations, gates, sums, look-ups,
/// conversions, alone or several in one.
struct Elementwise {
  static constexpr std::string_view name = "elementwise";
  std::string ops;  ///< what it does: "rms_norm + quantize"
  std::int64_t rows = 1;
  std::int64_t row_bytes = 1;    ///< read and written for each row
  std::int64_t fixed_bytes = 0;  ///< read once, however many rows: weights

  std::string variant() const { return ops; }
  /// A kernel has few widths in a network: rows of another order of magnitude are a shape of their own.
  std::vector<std::int64_t> shape() const {
    return {row_bytes, fixed_bytes,
            static_cast<std::int64_t>(std::bit_width(static_cast<std::uint64_t>(rows)))};
  }
  std::string label() const;
  std::vector<double> features() const;
  DType multiplied() const { return DType::bf16; }
  std::span<const KernelParameter> parameters() const;

  /// A floor, and the longer of memory or cache and of the multiprocessors' work on rows and elements; rows
  /// that a thread block holds, such as a norm's, take longer where they do not fill what it is made for.
  ///
  /// returns  the time with its parts [us]
  /// source   Williams, Waterman, Patterson, "Roofline", CACM 52(4), 2009
  KernelTime time(const Chip& chip, Values p) const;
};

}  // namespace inferometer
