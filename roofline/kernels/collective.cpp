#include "roofline/kernels/collective.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace inferometer {
namespace {

enum P : std::size_t {
  start,
  hop,
  start2,
  hop2,
  rate,
  rate2,
  lstart,
  lhop,
  lrate,
  own,
  fill,
  turn,
  turn_gpus,
  sum
};

constexpr std::array specs{
    KernelParameter{"start", "us", "a message of no size, by flags beside the data", 1, 12, 7.7},
    KernelParameter{"hop", "us", "each further GPU adds to it", 0.01, 3, 1},
    KernelParameter{"wide_start", "us", "by wider lines: longer than the start by", 0.05, 8, 1.5},
    KernelParameter{"wide_hop", "us", "and each further GPU adds to it", 0.01, 1.5, 0.033},
    KernelParameter{"flag_rate", "1", "by flags beside the data, relative to the link", 0.001, 0.5, 0.02},
    KernelParameter{"wide_rate", "1", "by wider lines, relative to the link", 0.1, 0.95, 0.44},
    KernelParameter{"long_start", "us", "protocol of long messages: its start", 3, 40, 12},
    KernelParameter{"long_hop", "us", "each further GPU adds to it", 0.05, 15, 1.6},
    KernelParameter{"long_rate", "1", "long messages, relative to the link", 0.6, 0.95, 0.82},
    KernelParameter{"own_share", "1", "the GPU's own share, relative to the same bytes over the link", 0.05,
                    1.5, 0.38},
    KernelParameter{"pipeline", "us", "between the chunks that a long message is cut into", 0.01, 3, 1.1},
    KernelParameter{"turn", "MiB", "with 4 GPUs, longer messages go by the long protocol", 0.1, 64, 3.5},
    KernelParameter{"turn_gpus", "1", "power of the GPUs that this size grows with", -1, 1.5, 0.83},
    KernelParameter{"byte_sum", "1", "sums of single bytes take longer by", 0.001, 0.4, 0.07},
    KernelParameter{"in_switch", "1", "sums in the switch, relative to the link", 0.1, 1, 0.39},
};
/// Reading the messages of all at once, then the library.
constexpr std::array direct{
    KernelParameter{"start", "us", "a message of no size, by flags beside the data", 1, 12, 2.7},
    KernelParameter{"hop", "us", "each further GPU adds to it", 0.01, 3, 0.049},
    KernelParameter{"wide_start", "us", "with a barrier instead: longer than the start by", 0.05, 8, 0.43},
    KernelParameter{"wide_hop", "us", "and each further GPU adds to it", 0.01, 1.5, 0.028},
    KernelParameter{"flag_rate", "1", "by flags, what is read from all, relative to the link", 0.001, 0.5,
                    0.016},
    KernelParameter{"wide_rate", "1", "after a barrier, relative to the link", 0.1, 0.95, 0.61},
    specs[6],
    specs[7],
    specs[8],
    specs[9],
    specs[10],
    specs[14],
};

/// Bytes over each GPU's link, of one direction, by a ring or to each peer in turn.
double ring_bytes(const Collective& c) {
  const double n = static_cast<double>(c.gpus), m = static_cast<double>(c.bytes);
  return (c.op == CollectiveOp::all_reduce ? 2 : 1) * m * (n - 1) / n;
}

double short_bytes(const Collective& c) {
  return c.kernel == CollectiveKernel::trtllm ? static_cast<double>(c.bytes) * static_cast<double>(c.gpus - 1)
                                              : ring_bytes(c);
}

/// Chunks fill a pipeline over the peers: their best number leaves the root of what crosses the link.
double long_time(const Collective& c, double link, Values p) {
  const double n = static_cast<double>(c.gpus), m = static_cast<double>(c.bytes);
  const double passes = c.op == CollectiveOp::all_reduce ? 2 : 1;
  const bool sums = c.op == CollectiveOp::all_reduce || c.op == CollectiveOp::reduce_scatter;
  const double slower = sums && c.element_bytes() == 1 ? 1 + p[sum] : 1;
  double t = (ring_bytes(c) + p[own] * passes * m / n) * slower / (link * p[lrate]);
  if (c.op == CollectiveOp::all_reduce && c.element_bytes() == 2 && c.gpus > 2)
    t = std::min(t, m * (1 + 1 / n) / (link * p.back()));
  return t + 2 * std::sqrt(t * p[fill]);
}

/// 0: short, 1: long. The library turns to the protocol of long messages at sizes of its own, not where it is
/// sooner.
double is_long(const Collective& c, Values p) {
  const double at = std::log2(p[turn] * 1048576) + p[turn_gpus] * std::log2(static_cast<double>(c.gpus) / 4);
  return 1 / (1 + std::exp(-8 * (std::log2(static_cast<double>(c.bytes)) - at)));
}

}  // namespace

std::string Collective::variant() const {
  return std::string{inferometer::name(op)} + "/" + std::string{inferometer::name(kernel)};
}

std::vector<std::int64_t> Collective::shape() const {
  return {gpus, element_bytes(),
          static_cast<std::int64_t>(std::bit_width(static_cast<std::uint64_t>(bytes))) - 1};
}

std::string Collective::label() const {
  return std::to_string(gpus) + " GPUs, " + std::to_string(bytes) + " B of " +
         std::string{inferometer::name(element)};
}

std::vector<double> Collective::features() const {
  return {std::log2(static_cast<double>(gpus)), std::log2(static_cast<double>(bytes)),
          static_cast<double>(element_bytes())};
}

std::span<const KernelParameter> Collective::parameters() const {
  if (kernel == CollectiveKernel::trtllm) return direct;
  return op == CollectiveOp::all_reduce       ? std::span{specs}
         : op == CollectiveOp::reduce_scatter ? std::span{specs}.first(14)
                                              : std::span{specs}.first(13);
}

KernelTime Collective::time(const Chip& chip, Values p) const {
  const double peers = static_cast<double>(gpus - 1);
  const double link = chip.link;
  const double floor = p[start] + p[hop] * peers;
  const double by_flags = short_bytes(*this) / (link * p[rate]);
  const double by_lines = p[start2] + p[hop2] * peers + short_bytes(*this) / (link * p[rate2]);
  const double soon = floor + std::min(by_flags, by_lines);
  const double crossing = long_time(*this, link, p);
  const double late = p[lstart] + p[lhop] * peers + crossing;
  double total = std::min(soon, late);
  if (kernel == CollectiveKernel::nccl) {
    const double part = is_long(*this, p);
    total = std::exp((1 - part) * std::log(soon) + part * std::log(late));
  }
  return {total, floor, 0, total - floor};
}

}  // namespace inferometer
