#include "roofline/kernels/elementwise.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace inferometer {
namespace {

enum P : std::size_t { floor_, full, mem, hot, fits, gone, row, byte, piece, idle };

constexpr std::array specs{
    KernelParameter{"floor", "us", "a call of no size", 0.2, 20, 1.8},
    KernelParameter{"full", "us", "a call whose blocks fill the device takes longer by", 0.001, 5, 0.3},
    KernelParameter{"memory_efficiency", "1", "long streams reach this fraction of the memory bandwidth", 0.1,
                    1.05, 0.85},
    KernelParameter{"cache_rate", "1", "of what lies in L2, relative to memory", 0.5, 8, 1.8},
    KernelParameter{"fits", "1", "up to this part of L2 all of it lies there", 0.1, 1, 0.6},
    KernelParameter{"gone", "1", "beyond this part of L2, counted from there, none does", 0.1, 3, 0.4},
    KernelParameter{"row", "us", "a row on one multiprocessor, however short", 0.0001, 2, 0.02},
    KernelParameter{"bytes", "B/cycle", "that a multiprocessor works on each cycle", 0.5, 200, 60},
    KernelParameter{"piece", "us", "each further piece of a row that a thread block holds", 0.001, 2, 0.13},
    KernelParameter{"idle", "1", "longer for each piece that a block is made for and its row does not fill",
                    0.001, 1, 0.12},
};

/// A row that weights of its width go with is held by one thread block: in pieces of a vector of 16 B for
/// each of 256 threads. Blocks are made for one, two, four pieces.
struct Pieces {
  double held = 1, made = 1;
};
Pieces pieces_of(const Elementwise& e) {
  const std::int64_t vectors = e.fixed_bytes / 16;  // a scale beside them is none
  if (vectors == 0 || e.fixed_bytes > e.row_bytes) return {};
  const double held = static_cast<double>(vectors) / 256;
  return {held, std::max(1.0, std::exp2(std::ceil(std::log2(held))))};
}

}  // namespace

std::span<const KernelParameter> Elementwise::parameters() const { return specs; }

std::string Elementwise::label() const {
  return "rows " + std::to_string(rows) + ", " + std::to_string(row_bytes) + " B each";
}

std::vector<double> Elementwise::features() const {
  return {std::log2(static_cast<double>(rows)), std::log2(static_cast<double>(row_bytes)),
          std::log2(static_cast<double>(fixed_bytes + 1024))};
}

KernelTime Elementwise::time(const Chip& c, Values p) const {
  const double r = static_cast<double>(rows), streamed = r * static_cast<double>(row_bytes),
               fixed = static_cast<double>(fixed_bytes);
  const double cached = std::clamp(1 - (streamed / c.l2 - p[fits]) / p[gone], 0.0, 1.0);
  const double memory = (streamed * (1 - cached + cached / p[hot]) + fixed) / (c.bandwidth * p[mem]);
  const double slots = std::min(r, c.sms);  // a row is not spread over multiprocessors
  const double compute = r * p[row] / c.sms + streamed / (p[byte] * c.clock * slots);
  const double filled = streamed / (streamed + c.sms * 4096);
  const Pieces pieces = pieces_of(*this);
  const double floor = p[floor_] + p[full] * filled + p[piece] * (pieces.made - 1);
  const double longer = 1 + p[idle] * (pieces.made - pieces.held);
  return {floor + longer * std::max(memory, compute), floor, longer * compute, longer * memory};
}

}  // namespace inferometer
