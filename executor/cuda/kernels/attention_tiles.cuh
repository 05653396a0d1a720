#pragma once
#include <bit>
#include <concepts>

#include "executor/cuda/kernels/hopper.cuh"

// What the tiled attention kernels share: which keys a row sees, and how tiles of them are fetched.
#ifdef INFEROMETER_HOPPER
namespace inferometer::cuda {

constexpr float log2_e = 1.4426950408889634F;

/// Which keys a row of queries sees: [first, last].
struct Visible {
  int first, last;
};

/// Fetches tiles of Keys keys of one key head and their values, by `Warps` neighbouring warps, of which the
/// first has an index that is a multiple of Warps. Each lane makes one copy a tile, or none: of keys that lie
/// together, at most those of a block of the cache, for each 64 elements apart unless a block is a tile.
/// Behind the sequence's end its last block stands in, so that what is masked is finite. requires that
/// block_tokens is a power of two, at least 8
template <class Element, int D, int Keys, int Warps = 1>
struct TileLoader {
  static_assert(2 * D / 64 * Keys / 8 <= 32 * Warps);
  const std::int32_t* table;
  int last_block, shift;  ///< block_tokens is 1 << shift
  int copy, copies;       ///< of this lane, and of all
  int at;                 ///< its first key in a tile
  int width;              ///< elements of a key that it copies
  const Element* from;    ///< in block 0
  int to;                 ///< in a tile, keys or values
  bool of_keys;
  std::int64_t block;  ///< elements between blocks

  __device__ __forceinline__ TileLoader(const AttentionArguments& a, const Sequence& s, int kv_head)
      : table(a.blocks + s.table),
        shift(31 - __clz(a.cache.block_tokens)),
        copy(static_cast<int>(threadIdx.x) % 32 * Warps + static_cast<int>(threadIdx.x) / 32 % Warps) {
    constexpr int tile_shift = std::countr_zero(static_cast<unsigned>(Keys));
    static_assert(1 << tile_shift == Keys);
    const int bt = a.cache.block_tokens, run_shift = min(shift, tile_shift),
              runs = 1 << (tile_shift - run_shift);
    const int pieces = bt == Keys ? 1 : D / 64, part = copy >> (tile_shift - run_shift);
    copies = 2 * pieces * runs;
    last_block = (s.cached + s.fresh - 1) >> shift;
    width = bt == Keys ? D : 64;
    at = (copy & (runs - 1)) << run_shift;
    of_keys = part < pieces;
    const int piece = part & (pieces - 1);
    from = static_cast<const Element*>(of_keys ? a.cache.k : a.cache.v) +
           (static_cast<std::int64_t>(kv_head) * pieces + piece) * bt * width;
    to = (piece * Keys + at) * width;
    block = static_cast<std::int64_t>(a.cache.kv_heads) * bt * D;
  }

  /// The block of this lane's keys of the tile that begins with key `first`.
  __device__ __forceinline__ int find(int first) const {
    return copy < copies ? table[min((first + at) >> shift, last_block)] : 0;
  }
  /// Keys [first, first + Keys) to `keys`, their values to `values`.   found: find(first)
  /// Bytes may arrive before they are expected: what expects them is the one arrival that the phase waits
  /// for.   policy: that of the copies, if any
  template <std::same_as<std::uint64_t>... Policy>
  __device__ __forceinline__ void load(int first, int found, Element* keys, Element* values,
                                       std::uint64_t* barrier, Policy... policy) const {
    static_assert(sizeof...(Policy) <= 1);
    if (copy == 0) expect_bytes(barrier, Keys * D * 2 * sizeof(Element));
    if (copy >= copies) return;
    const int slot = (first + at) & ((1 << shift) - 1);
    copy_bulk((of_keys ? keys : values) + to, from + found * block + slot * width,
              static_cast<unsigned>(min(1 << shift, Keys) * width * static_cast<int>(sizeof(Element))),
              barrier, policy...);
  }
};

}  // namespace inferometer::cuda
#endif
