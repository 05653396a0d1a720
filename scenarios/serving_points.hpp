#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "model/result.hpp"

namespace inferometer {

/// What somebody measured of a server under a closed loop of clients, as a file says it: names are the
/// file's.
struct ServingPoint {
  std::string system, backend, model;
  std::string products;  ///< how the inputs and weights of matrix products are quantised
  std::int64_t prompt_tokens = 1, output_tokens = 1, concurrency = 1;
  std::int64_t tensor = 1, pipeline = 1, attention_data = 1, expert_tensor = 1, expert_parallel = 1;
  double ttft_ms = 0, tpot_ms = 0;
  std::string source;
  int line = 0;
};

/// Reads serving points from CSV with a header line:
///   system,backend,model,gemm_quant_mode,isl,osl,concurrency,tp_size,pp_size,attention_dp_size,moe_tp_size,
///   moe_ep_size,source,ttft_ms,tpot_ms
/// in any order, among others. attention_dp_size may be empty: 1.
///
/// errors  all at file:line:column: missing columns and fields, what is no number, what is not positive
[[nodiscard]] Result<std::vector<ServingPoint>> read_serving_points(const std::string& text,
                                                                    const std::string& file);

}  // namespace inferometer
