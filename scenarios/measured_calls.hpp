#pragma once
#include <string_view>
#include <vector>

#include "roofline/kernels/kernel_call.hpp"
#include "scenarios/csv_row.hpp"

namespace inferometer {

/// What a file times, told by the columns that it has: the first of the list whose columns it all has, so
/// that those with more columns come first.
struct MeasuredKind {
  std::vector<std::string_view> columns;
  KernelCall (*read)(Row&);
  double resolution = 0;  ///< us that times are rounded to; 0: they are not
};

/// The kinds of files, in the order in which they are tried.
const std::vector<MeasuredKind>& measured_kinds();

}  // namespace inferometer
