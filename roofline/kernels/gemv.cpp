#include "roofline/kernels/gemv.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace inferometer {
namespace {

enum P : std::size_t { floor_, mem, whole, turn, step };

constexpr std::array specs{
    KernelParameter{"floor", "us",
                    "a call of no size; below 0 where loads start while the kernel before drains", -4, 20,
                    1.5},
    KernelParameter{"memory_efficiency", "1", "long streams reach this fraction of the memory bandwidth", 0.3,
                    1.2, 0.9},
    KernelParameter{"whole_turns", "1",
                    "0: rows are spread evenly, 1: a started turn lasts as long as a full one", 0.001, 1,
                    0.5},
    KernelParameter{"turn", "us", "a row of each warp, however short", 0.0001, 0.5, 0.02},
    KernelParameter{"decode", "B/cycle", "weight bytes a multiprocessor turns into factors each cycle", 4,
                    500, 60},
};

}  // namespace

std::span<const KernelParameter> Gemv::parameters() const { return specs; }

std::string Gemv::label() const { return "n " + std::to_string(n) + ", k " + std::to_string(k); }

std::vector<double> Gemv::features() const {
  return {std::log2(static_cast<double>(n)), std::log2(static_cast<double>(k))};
}

KernelTime Gemv::time(const Chip& c, Values p) const {
  constexpr double rows_at_a_time = 8;
  constexpr double piece_bytes = 1024;  // two vectors of 16 B a lane
  const FormatInfo f = info(format);
  const double rows = static_cast<double>(n), bytes = rows * static_cast<double>(k) * f.weight_bytes;
  const double slots = c.sms * rows_at_a_time, turns = std::ceil(rows / slots);
  const double stretch = 1 - p[whole] + p[whole] * turns * slots / rows;
  const double memory = stretch * bytes / (c.bandwidth * p[mem]);
  const double row_bytes = static_cast<double>(k) * f.weight_bytes;
  const double pieces = std::ceil(row_bytes / piece_bytes) * piece_bytes / row_bytes;
  const double compute = stretch * pieces * bytes / (c.sms * c.clock * p[step]);
  const double least = 0.3;  // of what starts early
  const double total = std::max(least, p[floor_] + std::max(memory, compute) + turns * p[turn]);
  return {total, std::max(0.0, p[floor_]), compute, memory};
}

}  // namespace inferometer
