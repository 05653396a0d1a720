#pragma once
#include "executor/cuda/kernels/hopper.cuh"

// What the tiled attention kernels share: which keys a row sees, and how tiles of them are fetched.
#ifdef INFEROMETER_HOPPER
namespace inferometer::cuda {

constexpr float log2_e = 1.4426950408889634F;

/// Which keys a row of queries sees: [first, last].
struct Visible {
  int first, last;
};

/// Which block holds each run of a tile's keys; behind the sequence's end its last block stands in, so that
/// what is masked is finite.
struct TileLoader {
  const AttentionArguments& a;
  const std::int32_t* table;
  int last_block, run;  ///< keys that lie together, at most those of a tile

  __device__ __forceinline__ TileLoader(const AttentionArguments& arguments, const Sequence& s, int keys)
      : a(arguments),
        table(arguments.blocks + s.table),
        last_block((s.cached + s.fresh - 1) / arguments.cache.block_tokens),
        run(min(arguments.cache.block_tokens, keys)) {}

  /// Pieces in which keys lie: one for each 64 elements, or one if a block of the cache is a tile.
  template <int D, int Keys>
  __device__ __forceinline__ int parts() const {
    return a.cache.block_tokens == Keys ? 1 : D / 64;
  }
  template <int D, int Keys>
  __device__ __forceinline__ int copies() const {
    return 2 * parts<D, Keys>() * (Keys / run);
  }
  /// Keys [first, first + Keys) to `keys`, their values to `values`, by `Warps` neighbouring warps, of which
  /// the first has an index that is a multiple of Warps: a warp issues its lanes' copies one after another.
  /// Bytes may arrive before they are expected: what expects them is the one arrival that the phase waits
  /// for.
  template <int D, int Keys, int Warps = 1, class Element>
  __device__ __forceinline__ void load(int kv_head, int first, Element* keys, Element* values,
                                       std::uint64_t* barrier) const {
    const int lane = threadIdx.x % 32 * Warps + threadIdx.x / 32 % Warps;
    const int bt = a.cache.block_tokens, pieces = parts<D, Keys>(), runs = Keys / run, wide = D / pieces;
    if (lane == 0) expect_bytes(barrier, Keys * D * 2 * sizeof(Element));
    for (int i = lane; i < copies<D, Keys>(); i += 32 * Warps) {
      const int copy = i / runs, at = i % runs * run, piece = copy % pieces, key = first + at;
      const std::int64_t block = table[min(key / bt, last_block)];
      const std::int64_t from = ((block * a.cache.kv_heads + kv_head) * pieces + piece) * bt + key % bt;
      const bool is_key = copy < pieces;
      copy_bulk((is_key ? keys : values) + (piece * Keys + at) * wide,
                static_cast<const Element*>(is_key ? a.cache.k : a.cache.v) + from * wide,
                static_cast<unsigned>(run * wide * sizeof(Element)), barrier);
    }
  }
};

}  // namespace inferometer::cuda
#endif
