#pragma once
#include "executor/cuda/device_buffer.hpp"
#include "executor/cuda/gpu.hpp"
#include "model/case.hpp"
#include "model/structure.hpp"

namespace inferometer::cuda {

/// Memory that kernels need beside their operands.
struct Scratch {
  DeviceBuffer memory;
  std::int64_t sequences = 0, logit_rows = 0;  ///< of the largest step that there is room for
  Bytes score_bytes{0};
  float* partial = nullptr;           ///< int4_partials() floats, where there are int4 weights
  float* squares = nullptr;           ///< parts of the squares of few tokens' rows
  std::uint16_t* unpacked = nullptr;  ///< the largest int4 matrix in bf16
  float* decode = nullptr;            ///< decode_partials() floats of the largest batch
  float* scores = nullptr;            ///< of naive attention
  std::uint32_t* flags = nullptr;     ///< [processors], zero between kernels
  std::uint32_t* tickets = nullptr;   ///< [sequences * kv_heads], zero between kernels
  std::uint64_t* largest = nullptr;   ///< [logit rows], zero between kernels
  std::uint32_t* ended = nullptr;     ///< blocks that have looked through a row: [logit rows], likewise
};

/// For the workload and the batch buckets of a Case.
/// naive_scores: of the largest step, 0: none
[[nodiscard]] Result<Scratch> make_scratch(const Case& c, const Structure& structure, const Gpu& gpu,
                                           Bytes naive_scores);

}  // namespace inferometer::cuda
