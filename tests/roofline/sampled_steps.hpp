#pragma once
#include "roofline/steps/step_samples.hpp"

namespace inferometer {

inline StepCall product(std::int64_t rows) {
  return {"bf16", "bf16", Gemm{.format = Format::bf16, .m = rows, .n = 4096, .k = 4096}};
}
inline StepCall norm() {
  return {"rms_norm", "rms_norm", Elementwise{.ops = "rms_norm", .rows = 8, .row_bytes = 8192}};
}

/// Layers of norm and product, each kernel of 10 us, with these gaps before them.
inline StepSamples step(LaunchMode mode, std::int64_t rows, Seconds gaps, Seconds host = Seconds{0}) {
  StepSamples s{.mode = mode, .untraced = gaps + host};
  for (int layer = 0; layer < 4; ++layer) {
    for (const StepCall& call : {norm(), product(rows)}) {
      s.kernels.push_back({.calls = {call}, .exposed = Seconds{10e-6}});
      s.untraced += s.kernels.back().exposed;
    }
  }
  return s;
}

}  // namespace inferometer
