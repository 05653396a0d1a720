#pragma once
#include <filesystem>
#include <string>

#include "model/result.hpp"
#include "roofline/profiles/layer_profile.hpp"

namespace inferometer {

/// Reads LLMServingSim's profile of one layer from a folder: each table as `dense.csv`, or as
/// `profile_tp<N>_dense.csv`. Times are time_us or latency_us.
///   dense         layer,tokens
///   per_sequence  layer,sequences
///   attention     prefill_chunk,kv_prefill,n_decode,kv_decode
///   skew, decode_skew   regime (pure or mixed),n,t_mean_us,t_max_us,t_skew_us    may be missing
///   moe           tokens,activated_experts                                      may be missing
///   meta.yaml     beside them, above them, or as profile_meta.yaml; its skew_fit.enabled says whether skew
///   applies
///                 to steps, which it does where nothing says so
///
/// errors  all files' at file:line:column: missing tables and columns, layers that profile_layers does not
///         have, what is no number or not positive
[[nodiscard]] Result<ProfileTables> read_llmservingsim_profile(const std::filesystem::path& folder,
                                                               std::int64_t tensor_parallel);

/// Reads Vidur's mlp.csv and attention.csv, of one degree of tensor parallelism: medians in
/// time_stats.<op>.median [ms]; of attention the kernels, and beside them the writing of the cache.
///
/// errors  as above; no row of that degree
[[nodiscard]] Result<ProfileTables> read_vidur_profile(const std::filesystem::path& mlp,
                                                       const std::filesystem::path& attention,
                                                       std::int64_t tensor_parallel);

}  // namespace inferometer
