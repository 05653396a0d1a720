#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "roofline/kernels/chip.hpp"
#include "roofline/kernels/kernel_time.hpp"
#include "roofline/kernels/parameter.hpp"

namespace inferometer {

enum class CollectiveOp : std::uint8_t { all_reduce, all_gather, reduce_scatter, alltoall };
template <>
struct Names<CollectiveOp> {
  static constexpr std::array list{
      std::pair{CollectiveOp::all_reduce, std::string_view{"all_reduce"}},
      std::pair{CollectiveOp::all_gather, std::string_view{"all_gather"}},
      std::pair{CollectiveOp::reduce_scatter, std::string_view{"reduce_scatter"}},
      std::pair{CollectiveOp::alltoall, std::string_view{"alltoall"}}};
};

enum class CollectiveElement : std::uint8_t { bf16, fp16, int8 };
template <>
struct Names<CollectiveElement> {
  static constexpr std::array list{std::pair{CollectiveElement::bf16, std::string_view{"bf16"}},
                                   std::pair{CollectiveElement::fp16, std::string_view{"fp16"}},
                                   std::pair{CollectiveElement::int8, std::string_view{"int8"}}};
};

/// nccl: rings and in-switch sums of the library. trtllm: where the message is short, every rank reads the
/// messages of all others at once; the library otherwise.
enum class CollectiveKernel : std::uint8_t { nccl, trtllm };
template <>
struct Names<CollectiveKernel> {
  static constexpr std::array list{std::pair{CollectiveKernel::nccl, std::string_view{"nccl"}},
                                   std::pair{CollectiveKernel::trtllm, std::string_view{"TRTLLM"}}};
};

/// One exchange between all GPUs of a node, each linked to a switch.
struct Collective {
  static constexpr std::string_view name = "collectives";
  CollectiveOp op = CollectiveOp::all_reduce;
  CollectiveElement element = CollectiveElement::bf16;
  CollectiveKernel kernel = CollectiveKernel::nccl;
  std::int64_t gpus = 2;
  std::int64_t bytes =
      1;  ///< the whole buffer: of all_gather what is gathered, of reduce_scatter what is summed

  std::string variant() const;
  /// A message of another order of magnitude goes by another protocol: a shape of its own.
  std::vector<std::int64_t> shape() const;
  std::string label() const;
  std::vector<double> features() const;
  std::int64_t element_bytes() const { return element == CollectiveElement::int8 ? 1 : 2; }
  DType multiplied() const { return DType::bf16; }
  std::span<const KernelParameter> parameters() const;

  /// The sooner of two protocols for short messages up to a size, one for long messages beyond it. Each takes
  /// a start, a part of it per peer, and what crosses the link; long messages also their own share's copy.
  ///
  /// requires a chip with links
  /// returns  the time with its parts [us]; memory is what crosses the link
  /// source   bytes: Patarasuk, Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations",
  ///          JPDC 69(2), 2009. Start and bytes: Hockney, "The communication challenge for MPP", Parallel
  ///          Computing 20(3), 1994. In the switch: NVIDIA, "Scalable Hierarchical Aggregation Protocol"
  KernelTime time(const Chip& chip, Values p) const;
};

}  // namespace inferometer
