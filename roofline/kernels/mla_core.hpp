#pragma once
#include <array>
#include <cstdint>

#include "roofline/kernels/chip.hpp"
#include "roofline/kernels/kernel_time.hpp"
#include "roofline/kernels/parameter.hpp"

namespace inferometer {

enum class AttentionPhase : std::uint8_t { context, generation };
template <>
struct Names<AttentionPhase> {
  static constexpr std::array list{std::pair{AttentionPhase::context, std::string_view{"context"}},
                                   std::pair{AttentionPhase::generation, std::string_view{"generation"}}};
};

/// Latent attention as DeepSeek-V3 has it: per token a latent of 512 and 64 that carry the position.
///   context     queries and keys of 192, values of 128, expanded for each head; causal
///   generation  one query of 576 a head, on the latents of all tokens before it, which all heads share
struct MlaCore {
  static constexpr double latent = 512, rope = 64, nope = 128, value = 128;
  double batch = 1, kv_len = 1, heads = 1;
  double kv_bytes = 2;  ///< a stored element
  double flops = 1;     ///< matrix FLOP/us of the dtype it multiplies in
};

inline constexpr std::array decode_parameters{
    KernelParameter{"block", "us", "of a thread block, whatever it attends", 0.2, 25, 2.1},
    KernelParameter{"matrix_efficiency", "1", "blocks reach this fraction of the matrix peak", 0.1, 1.2, 1.1},
    KernelParameter{"feed", "B/cycle", "of latents into one multiprocessor", 2, 150, 41},
    KernelParameter{"contention", "1", "a block takes longer by this when all multiprocessors run", 0.001,
                    1.5, 0.59},
    KernelParameter{"chunk", "1", "fewest tokens that are worth a part of their own", 32, 4e6, 370},
    KernelParameter{"whole_waves", "1", "0: work is spread over waves evenly, 1: waves are whole", 0.001, 1,
                    0.48},
    KernelParameter{"memory_efficiency", "1", "latents reach this fraction of the memory bandwidth", 0.4,
                    1.05, 0.95},
    KernelParameter{"cache_rate", "1", "of latents that lie in L2, relative to memory", 0.8, 6, 6},
    KernelParameter{"overlap_loss", "1", "part of the shorter of compute and memory that is not hidden", 0,
                    0.9, 0.11},
    KernelParameter{"meet", "us", "meeting of the parts of split tokens", 0.05, 15, 1.1},
    KernelParameter{"head_traffic", "1", "queries, outputs and partial ones, relative to memory", 0.1, 3,
                    1.8},
};
/// returns  us without a floor. Parts of a sequence fill one wave; the longer of blocks and memory decides.
/// source   split of the tokens: Dao et al., "Flash-Decoding for long-context inference", 2023
KernelTime decode_time(const MlaCore& core, const Chip& chip, Values p);

inline constexpr std::array prefill_parameters{
    KernelParameter{"block", "us", "of a thread block, whatever it attends", 0.1, 15, 2.1},
    KernelParameter{"matrix_efficiency", "1", "blocks reach this fraction of the matrix peak", 0.1, 1.3,
                    0.82},
    KernelParameter{"exponential", "cycle", "of one score, on a multiprocessor", 0.001, 0.5, 0.046},
    KernelParameter{"imbalance", "1", "part of the longest block's excess that is not hidden", 0.001, 1, 1},
    KernelParameter{"whole_waves", "1", "0: work is spread over waves evenly, 1: waves are whole", 0.001, 1,
                    0.98},
    KernelParameter{"preparation", "1", "traffic around attention, relative to each operand twice", 0.05, 6,
                    0.7},
    KernelParameter{"cache_rate", "1", "of operands that lie in L2, relative to memory", 0.8, 6, 1.3},
    KernelParameter{"power", "1", "stretch of long work at the full matrix rate by the power limit", 0.001,
                    1.5, 0.031},
};
/// returns  us without a floor. Kernels that prepare the operands, then blocks of 128 queries of a head.
/// source   Dao, "FlashAttention-2", 2023, section 3.2: blocks and what each attends
KernelTime prefill_time(const MlaCore& core, const Chip& chip, Values p);

/// What a caller adds to the parameters above.
template <std::size_t A, std::size_t B>
constexpr std::array<KernelParameter, A + B> joined(const std::array<KernelParameter, A>& a,
                                                    const std::array<KernelParameter, B>& b) {
  std::array<KernelParameter, A + B> all{};
  for (std::size_t i = 0; i < A; ++i) all[i] = a[i];
  for (std::size_t i = 0; i < B; ++i) all[A + i] = b[i];
  return all;
}

}  // namespace inferometer
