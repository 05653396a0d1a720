#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "scenarios/scenario.hpp"

namespace inferometer {

/// One run of a real engine, replayed by the serving loop with the measured kernels of its device. Nothing is
/// fitted to the run.
struct Replay {
  struct Figure {
    std::string latency, statistic;  ///< "ttft", "tpot" or "e2el"; "mean", "p50", ...
    double predicted_ms = 0, engine_ms = 0;
    double error_percent() const { return 100 * (predicted_ms / engine_ms - 1); }
  };
  std::string engine;  ///< with its version, model and device
  std::int64_t requests = 0;
  std::int64_t blocks_computed = 0;   ///< of the KV cache, from the device's memory
  std::int64_t blocks_of_engine = 0;  ///< what the engine said; the replay has as many
  std::vector<Figure> figures;
};

/// folder  run.json (engine_kwargs, kv_cache, hardware, resolved), vllm_requests.csv (ttft_ms, tpot_ms,
///         output_tokens) and the device's kernel profile in LLMServingSim's form
/// trace   the requests it served, with their prefix blocks
/// errors  files that cannot be read, a model without a preset
[[nodiscard]] Result<Replay> replay_run(const std::filesystem::path& folder,
                                        const std::filesystem::path& trace, const Library& library);

}  // namespace inferometer
