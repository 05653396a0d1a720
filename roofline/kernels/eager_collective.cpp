#include "roofline/kernels/eager_collective.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace inferometer {
namespace {

enum P : std::size_t { start, hop, rate, fill, net_start, net, rails };

constexpr std::array specs{
    KernelParameter{"start", "us", "a message of no size, with the wait for the other rank", 1, 100, 15},
    KernelParameter{"hop", "us", "each further GPU adds to it", 0.01, 15, 3},
    KernelParameter{"link_rate", "1", "long messages, relative to the link", 0.1, 0.95, 0.75},
    KernelParameter{"pipeline", "us", "between the chunks that a long message is cut into", 0.01, 50, 1},
    KernelParameter{"network_start", "us", "between nodes, the start is longer by", 0.1, 100, 15},
    KernelParameter{"network", "GB/s", "between nodes of one GPU each, one direction", 0.5, 100, 6},
    KernelParameter{"rails", "1", "power of a node's GPUs that the network's rate grows with", 0.001, 1, 0.5},
};

double log_of(std::int64_t v) { return std::log2(static_cast<double>(v)); }

}  // namespace

std::vector<std::int64_t> EagerCollective::shape() const {
  return {gpus, gpus_per_node, static_cast<std::int64_t>(std::bit_width(static_cast<std::uint64_t>(bytes)))};
}

std::string EagerCollective::label() const {
  return std::to_string(gpus) + " GPUs, " + std::to_string(gpus_per_node) + " a node, " +
         std::to_string(bytes) + " B";
}

std::vector<double> EagerCollective::features() const {
  return {2 * log_of(gpus), log_of(bytes), crosses_network() ? 8 + 2 * log_of(gpus_per_node) : 0};
}

std::span<const KernelParameter> EagerCollective::parameters() const { return specs; }

KernelTime EagerCollective::time(const Chip& chip, Values p) const {
  const double n = static_cast<double>(gpus), m = static_cast<double>(bytes);
  const double crossing = op == EagerOp::all_reduce ? 2 * m * (n - 1) / n : m;
  double bandwidth = chip.link * p[rate];
  if (crosses_network())  // each GPU of a node may have a network card of its own
    bandwidth = std::min(bandwidth, p[net] * 1e3 * std::pow(static_cast<double>(gpus_per_node), p[rails]));
  const double floor = p[start] + p[hop] * (n - 2) + (crosses_network() ? p[net_start] : 0);
  const double wire = crossing / bandwidth;
  const double memory = wire + 2 * std::sqrt(wire * p[fill]);
  return {floor + memory, floor, 0, memory};
}

}  // namespace inferometer
