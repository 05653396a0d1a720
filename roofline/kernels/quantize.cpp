#include "roofline/kernels/quantize.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace inferometer {
namespace {

enum P : std::size_t { floor_, more, mem, hot, fits, gone, row, element };

constexpr std::array static_specs{
    KernelParameter{"floor", "us", "a call of no size", 0.2, 15, 1.3},
    KernelParameter{"full", "us", "a call whose blocks fill the device takes longer by", 0.001, 3, 0.037},
    KernelParameter{"memory_efficiency", "1", "long streams reach this fraction of the memory bandwidth", 0.1,
                    1.05, 0.86},
    KernelParameter{"cache_rate", "1", "of what lies in L2, relative to memory", 0.8, 8, 1.2},
    KernelParameter{"fits", "1", "up to this part of L2 all of it lies there", 0.1, 1, 0.84},
    KernelParameter{"gone", "1", "beyond this part of L2, counted from there, none does", 0.1, 3, 0.15},
    KernelParameter{"row", "us", "a row on one multiprocessor, however short", 0.0001, 1, 0.0063},
    KernelParameter{"element", "cycle", "an element on one multiprocessor", 0.001, 2, 0.041},
};

constexpr std::array scale_specs{
    KernelParameter{"floor", "us", "a call of no size", 0.2, 15, 7.2},
    KernelParameter{"full", "us", "a call whose blocks fill the device takes longer by", 0.001, 3, 0.35},
    KernelParameter{"memory_efficiency", "1", "long streams reach this fraction of the memory bandwidth", 0.1,
                    1.05, 0.29},
    KernelParameter{"cache_rate", "1", "of what lies in L2, relative to memory", 0.8, 8, 2.3},
    KernelParameter{"fits", "1", "up to this part of L2 all of it lies there", 0.1, 1, 0.36},
    KernelParameter{"gone", "1", "beyond this part of L2, counted from there, none does", 0.1, 3, 0.56},
    KernelParameter{"row", "us", "a row on one multiprocessor, however short", 0.0001, 1, 0.0081},
    KernelParameter{"element", "cycle", "an element on one multiprocessor", 0.001, 2, 0.019},
};

}  // namespace

std::string QuantizeKernel::variant() const {
  return std::string{inferometer::name(op)} + "/" + std::string{inferometer::name(format)};
}

std::string QuantizeKernel::label() const { return "m " + std::to_string(m) + ", k " + std::to_string(k); }

std::vector<double> QuantizeKernel::features() const {
  return {std::log2(static_cast<double>(m)), std::log2(static_cast<double>(k))};
}

std::span<const KernelParameter> QuantizeKernel::parameters() const {
  return op == QuantizeOp::static_quantize ? static_specs : scale_specs;
}

KernelTime QuantizeKernel::time(const Chip& c, Values p) const {
  const double rows = static_cast<double>(m), elements = rows * static_cast<double>(k);
  const double bytes = elements * (op == QuantizeOp::static_quantize ? 3 : 2);
  const double cached = std::clamp(1 - (bytes / c.l2 - p[fits]) / p[gone], 0.0, 1.0);
  const double memory = bytes * (1 - cached + cached / p[hot]) / (c.bandwidth * p[mem]);
  const double compute = rows * p[row] / c.sms + elements * p[element] / (c.clock * c.sms);
  const double filled = elements / (elements + c.sms * 1024);
  const double floor = p[floor_] + p[more] * filled;
  return {floor + std::max(memory, compute), floor, compute, memory};
}

}  // namespace inferometer
