#pragma once

namespace inferometer::cuda {

/// Where a warp is that goes through rows of W piece by piece, each piece in the next of its stages.
struct Walk {
  int stage = 0, row = 0, piece = 0;
  unsigned phase = 0;  ///< parity of the rounds through the stages

  __device__ __forceinline__ void next(int stages, int pieces) {
    if (++stage == stages) {
      stage = 0;
      phase ^= 1;
    }
    if (++piece == pieces) {
      piece = 0;
      ++row;
    }
  }
};

}  // namespace inferometer::cuda
