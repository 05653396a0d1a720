#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "roofline/kernels/chip.hpp"
#include "roofline/kernels/kernel_time.hpp"
#include "roofline/kernels/parameter.hpp"

namespace inferometer {

enum class EagerOp : std::uint8_t { all_reduce, send_recv };
template <>
struct Names<EagerOp> {
  static constexpr std::array list{std::pair{EagerOp::all_reduce, std::string_view{"all_reduce"}},
                                   std::pair{EagerOp::send_recv, std::string_view{"send_recv"}}};
};

/// An exchange as one rank's profiler sees it when the host launches it on each: with the wait for the ranks
/// that come later. Where a node has fewer GPUs than take part, the ring crosses the network.
struct EagerCollective {
  static constexpr std::string_view name = "collectives";
  EagerOp op = EagerOp::all_reduce;
  std::int64_t gpus = 2, gpus_per_node = 2;
  std::int64_t bytes = 1;  ///< of the message

  std::string variant() const { return std::string{inferometer::name(op)} + "/eager"; }
  /// A message of another order of magnitude goes by another protocol: a shape of its own.
  std::vector<std::int64_t> shape() const;
  std::string label() const;
  std::vector<double> features() const;
  DType multiplied() const { return DType::bf16; }
  std::span<const KernelParameter> parameters() const;
  bool crosses_network() const { return gpus_per_node < gpus; }

  /// A start, a part of it per peer, and what crosses the slower of link and network, in chunks.
  ///
  /// requires a chip with links
  /// returns  the time with its parts [us]; memory is what crosses
  /// source   bytes: Patarasuk, Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations",
  ///          JPDC 69(2), 2009. Start and bytes: Hockney, "The communication challenge for MPP", Parallel
  ///          Computing 20(3), 1994
  KernelTime time(const Chip& chip, Values p) const;
};

}  // namespace inferometer
