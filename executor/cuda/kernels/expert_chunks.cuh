#pragma once
#include "executor/cuda/kernels/experts.hpp"
#include "executor/cuda/kernels/hopper.cuh"

// The weights of one token's experts, streamed through shared memory.

namespace inferometer::cuda {

/// How shared memory of one_token_experts() is dealt out: what is multiplied, rings of all warps, barriers.
/// [bytes]
struct ExpertLayout {
  int gate_up = 0, down = 0;  ///< of a row of weights
  int x = 0, h = 0;           ///< of a row that is multiplied, in whole blocks where in e4m3
  int values = 0;             ///< room for what is multiplied
  int chunk = 0, stages = 0;  ///< of a warp's ring: of one of two rows

  __host__ __device__ constexpr int ring() const { return 2 * chunk * stages; }
};
#ifdef INFEROMETER_HOPPER
/// An element of h: the at-th of a choice. After the last choice there are none.
struct ExpertElement {
  int choice = 0, at = 0;

  __device__ __forceinline__ void advance(int by, int width) {
    at += by;
    for (; at >= width; at -= width) ++choice;
  }
};

/// The chunks of weights in the order in which a warp multiplies them, of two rows at a time: for each of its
/// elements of h the gate's and up's; then for each of its pairs of outputs those of each choice.
struct ExpertChunks {
  const OneTokenExperts& a;
  const ExpertLayout& layout;
  const int* ids;
  int first, step;
  ExpertElement element;  ///< of h; then a pair of outputs
  bool down = false;
  int rest = 0;  ///< bytes of a row from here
  const unsigned char* source = nullptr;
  std::int64_t apart = 0;  ///< bytes from there to the second row's

  __device__ ExpertChunks(const OneTokenExperts& arguments, const ExpertLayout& l, const int* chosen,
                          int warp, int all)
      : a(arguments), layout(l), ids(chosen), first(warp), step(all) {
    element.advance(first, a.width);
    start_unit();
  }
  __device__ __forceinline__ bool left() const { return !down || element.at < a.out / 2; }
  __device__ __forceinline__ int bytes() const { return min(rest, layout.chunk); }
  __device__ __forceinline__ void next() {
    const int done = bytes();
    source += done;
    rest -= done;
    if (rest > 0) return;
    if (!down) {
      element.advance(step, a.width);
    } else if (++element.choice == a.top_k) {
      element = {0, element.at + step};
    }
    start_unit();
  }

 private:
  __device__ __forceinline__ void start_unit() {
    if (!down && element.choice >= a.top_k) {
      down = true;
      element = {0, first};
    }
    rest = down ? layout.down : layout.gate_up;
    apart = static_cast<std::int64_t>(down ? 1 : a.width) * rest;
    const auto* w = static_cast<const unsigned char*>(down ? a.down : a.gate_up);
    const std::int64_t rows = down ? a.out : 2 * a.width, row = down ? 2 * element.at : element.at;
    source = w + (ids[element.choice] * rows + row) * rest;
  }
};

/// A warp's ring of stages.
struct ExpertRing {
  unsigned char* stage;
  std::uint64_t* full;
  int chunk, stages;
  std::uint64_t policy;
  RingPlace at{};

  __device__ __forceinline__ void load(int s, ExpertChunks& chunks) const {
    if (!chunks.left()) return;
    const auto size = static_cast<unsigned>(chunks.bytes());
    unsigned char* to = stage + s * 2 * chunk;
    const unsigned char *first = uniform(chunks.source), *second = uniform(chunks.source + chunks.apart);
    if (elect()) {
      expect_bytes(full + s, 2 * size);
      copy_bulk(to, first, size, full + s, policy);
      copy_bulk(to + chunk, second, size, full + s, policy);
    }
    __syncwarp();
    chunks.next();
  }
  /// Calls use(this lane's 16 bytes of the first row, from there to the second's [16 bytes], where in the
  /// row, bytes) for the next two rows, chunk by chunk, and keeps the ring full; by a whole warp.
  /// mine: whether there are such rows   row_bytes: of what they are multiplied by
  template <class Use>
  __device__ __forceinline__ void take(bool mine, int row_bytes, ExpertChunks& chunks, Use use) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    for (int from = 0; from < row_bytes; from += chunk) {
      if (mine) wait(full + at.stage, at.phase);
      __syncwarp();
      use(reinterpret_cast<const uint4*>(stage + at.stage * 2 * chunk) + lane, chunk / 16, from,
          min(chunk, row_bytes - from));
      __syncwarp();
      if (!mine) continue;
      load(at.stage, chunks);
      at.next(stages);
    }
  }
};

#endif

}  // namespace inferometer::cuda
