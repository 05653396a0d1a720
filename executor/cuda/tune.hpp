#pragma once
#include "executor/cuda/gpu.hpp"
#include "model/tuning.hpp"

namespace inferometer::cuda {

struct TuneOptions {
  bool overlap = false;  ///< our kernels start while the one before drains, as in plans with launch.overlap
  Seconds budget{1.5};   ///< of timing, for each shape
};

/// What was found out about one product.
struct Trial {
  std::int64_t candidates = 0;  ///< that were timed, the default choice included
  ProductChoice usual;          ///< the default choice
  TunedProduct best;            ///< the fastest one
  bool better = false;          ///< whether it wins by more than 1 % in three of four rounds
};

/// Times the ways to compute one product on one GPU: our kernels that fit, and up to 64 algorithms that
/// cuBLASLt's heuristics propose, each as it is rebuilt from its configuration. A clock moves with power and
/// temperature, so all are timed in rounds, and compared with the default choice of the same round; the best
/// is then run against it in turns, which alone decide whether it is better: the least of many noisy times is
/// too small.
/// errors  memory; products that nothing can compute
[[nodiscard]] Result<Trial> tune_product(const ProductShape& shape, const Gpu& gpu,
                                         const TuneOptions& options);

}  // namespace inferometer::cuda
