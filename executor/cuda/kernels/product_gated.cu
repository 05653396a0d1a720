#include <utility>

#include "executor/cuda/kernels/fp8.cuh"
#include "executor/cuda/kernels/streamed_stages.cuh"
#include "executor/cuda/kernels/wgmma_fp8.cuh"

namespace inferometer::cuda {
namespace {

using streaming::box_columns, streaming::consumers, streaming::most_shared, streaming::of_fp8;

/// Two warpgroups of 64 tokens each; of a third one thread loads.
constexpr int threads = consumers + 128;

/// One step along k: rows of 128 bytes.
template <int H>
struct Stage {
  unsigned char x[GatedTiles::tokens * 128];
  unsigned char w[2][H * 128];  ///< gates, ups
};
/// What a warp makes of its 16 tokens, rows of up to 128 bf16, pieces of 16 bytes swizzled: so that whole
/// runs of a row are stored at once.
struct Made {
  unsigned char row[16][256];
};
template <int H>
constexpr int depth = (most_shared - 2048 - consumers / 32 * static_cast<int>(sizeof(Made))) /
                      static_cast<int>(sizeof(Stage<H>));
template <int H>
struct Shared {
  Stage<H> stage[depth<H>];
  Made made[consumers / 32];
  std::uint64_t full[depth<H>], empty[depth<H>];
};
static_assert(sizeof(Shared<128>) + 1024 <= most_shared && sizeof(Shared<64>) + 1024 <= most_shared);

/// The tiles of one block, in the order of its turns. Pairs that work at a time share rows of W, so that
/// these come from memory once for as many tokens as stay in the L2 cache meanwhile.
struct Turns {
  GatedTiles tiles;
  int token_places, row_places, rank, turn;

  __device__ __forceinline__ Turns(const GatedTiles& t, std::int64_t tokens, std::int64_t out)
      : tiles(t),
        token_places(static_cast<int>(t.token_places(tokens))),
        row_places(static_cast<int>(t.row_places(out))),
        rank(blockIdx.x % 2),
        turn(blockIdx.x / 2) {}
  struct Place {
    int token, row;
  };
  __device__ __forceinline__ Place place() const { return place(turn); }
  __device__ __forceinline__ Place place_before() const {
    return place(turn - static_cast<int>(gridDim.x) / 2);
  }
  __device__ __forceinline__ bool any_before() const { return turn >= static_cast<int>(gridDim.x) / 2; }
  __device__ __forceinline__ Place place(int turn) const {
    const bool tokens_apart = tiles.share_weights;
    const int most = GatedTiles::cached_tokens / GatedTiles::tokens / (tokens_apart ? 2 : 1);
    const int first = turn / (most * row_places) * most, count = min(most, token_places - first);
    const int within = turn % (most * row_places), token = first + within % count, row = within / count;
    return {(tokens_apart ? 2 * token + rank : token) * GatedTiles::tokens,
            (tokens_apart ? row : 2 * row + rank) * tiles.rows};
  }
  __device__ __forceinline__ bool next() {
    turn += gridDim.x / 2;
    return turn < token_places * row_places;
  }
};

#ifdef INFEROMETER_HOPPER
/// One thread: each block loads half of what the two share, for both.
template <class Product, int H>
__device__ void load(Shared<H>& shared, const StreamedMaps& maps, const Product& a, Turns turns, int steps) {
  constexpr int half = GatedTiles::tokens / 2;
  RingPlace place;
  bool first = true, waited = false;  // nobody has to empty the stages of the first round
  do {
    const auto [token, row] = turns.place();
    for (int step = 0; step < steps; ++step) {
      if (!first) wait(shared.empty + place.stage, place.phase ^ 1);
      Stage<H>& to = shared.stage[place.stage];
      std::uint64_t* full = shared.full + place.stage;
      const int column = step * box_columns<Product>;
      expect_bytes(full, sizeof(Stage<H>));
      if (turns.tiles.share_weights) {
        copy_box_to_pair(to.w[turns.rank], &maps.w, column, row + turns.rank * a.out, full);
      } else {
        copy_box(to.w[0], &maps.w, column, row, full);
        copy_box(to.w[1], &maps.w, column, row + a.out, full);
      }
      if (!waited) wait_for_earlier();
      waited = true;
      if (turns.tiles.share_weights) {
        copy_box(to.x, &maps.x, column, token, full);
      } else {
        copy_box_to_pair(to.x + turns.rank * half * 128, &maps.x, column, token + turns.rank * half, full);
      }
      place.next(depth<H>);
      first = first && place.stage != 0;
    }
  } while (turns.next());
}

/// A warp's sums of a tile, rounded to bf16 as kernels of their own would store them: pairs of gates and of
/// ups. Those of 8 columns of gates from 8 j on are at 2 j and, of the 8 tokens below, at 2 j + 1.
template <int H>
struct Held {
  unsigned gates[H / 4], ups[H / 4];

  /// sums[4 j + 2 h + i] is of token lane / 4 + 8 h and column 8 j + 2 (lane % 4) + i.
  __device__ __forceinline__ void take(const float (&sums)[H], float scale) {
#pragma unroll
    for (int i = 0; i < H / 4; ++i) {
      gates[i] = pack(sums[2 * i] * scale, sums[2 * i + 1] * scale);
      ups[i] = pack(sums[2 * i + H / 2] * scale, sums[2 * i + 1 + H / 2] * scale);
    }
  }
};

/// Two bf16 in one register, the first in its lower half.
__device__ __forceinline__ float2 unpack(unsigned two) {
  return {__uint_as_float(two << 16), __uint_as_float(two & 0xffff0000U)};
}
/// Columns 8 j to 8 j + 7 of the warp's 16 tokens.
template <int H, class Element>
__device__ __forceinline__ void make(Made& made, const Held<H>& held, int j, float factor) {
  const int lane = threadIdx.x % 32;
  int row = lane / 4;
  asm volatile("" : "+r"(row));  // addresses of all columns, kept, would take the registers of sums
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    const float2 gate = unpack(held.gates[2 * j + h]), up = unpack(held.ups[2 * j + h]);
    const float low = gate_silu(gate.x, up.x), high = gate_silu(gate.y, up.y);
    const int byte = (8 * j + lane % 4 * 2) * static_cast<int>(sizeof(Element));
    unsigned char* to = made.row[row + 8 * h] + ((byte / 16 ^ row) * 16 + byte % 16);
    if constexpr (sizeof(Element) == sizeof(Bf16)) {
      *reinterpret_cast<unsigned*>(to) = pack(low, high);
    } else {
      to[0] = to_fp8(to_float(to_bf16(low)) * factor);
      to[1] = to_fp8(to_float(to_bf16(high)) * factor);
    }
  }
}
/// Of the tile's columns those from `column` on that exist, of the tokens from `token` on likewise.
template <int H, class Element, class Product>
__device__ void store(const Made& made, const Product& a, int token, int column) {
  constexpr int piece = 16 / sizeof(Element), pieces = H / piece;
  const bool aligned = reinterpret_cast<std::uintptr_t>(a.y) % 16 == 0 && a.y_stride % piece == 0;
#pragma unroll
  for (int i = threadIdx.x % 32; i < 16 * pieces; i += 32) {
    const int row = i / pieces, at = column + i % pieces * piece;
    if (token + row >= a.tokens || at >= a.out) continue;
    const unsigned char* from = made.row[row] + (i % pieces ^ row % 8) * 16;
    Element* to = static_cast<Element*>(a.y) + (token + row) * a.y_stride + at;
    if (aligned && at + piece <= a.out) {
      *reinterpret_cast<uint4*>(to) = *reinterpret_cast<const uint4*>(from);
    } else {
      for (int e = 0; e < piece && at + e < a.out; ++e) to[e] = reinterpret_cast<const Element*>(from)[e];
    }
  }
}
#endif

/// Tokens are the rows of the matrix units, rows of gates and then of ups their columns.
template <class Product, int H, class Element>
__global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(threads, 1)
    gated(const __grid_constant__ StreamedMaps maps, Product a, Epilogue epilogue, GatedTiles tiles) {
#ifdef INFEROMETER_HOPPER
  extern __shared__ unsigned char memory[];
  auto& shared =
      *reinterpret_cast<Shared<H>*>((reinterpret_cast<std::uintptr_t>(memory) + 1023) / 1024 * 1024);
  Turns turns(tiles, a.tokens, a.out);
  const int steps = (a.in + box_columns<Product> - 1) / box_columns<Product>;
  allow_next();
  if (threadIdx.x == 0) {
    for (int s = 0; s < depth<H>; ++s) {
      init_barrier(shared.full + s, 1);
      init_barrier(shared.empty + s, 2 * consumers / 32);
    }
    publish_barriers();
  }
  __syncwarp();  // clusters meet by whole warps
  meet_cluster();
  if (threadIdx.x >= consumers) {
    give_registers<40>();
    if (threadIdx.x == consumers) load(shared, maps, a, turns, steps);
  } else {
    take_registers<232>();
    wait_for_earlier();
    Made& made = shared.made[threadIdx.x / 32];
    float scale = 1;
    if constexpr (of_fp8<Product>) scale = *a.x_scale * *a.w_scale;
    const float factor = sizeof(Element) == 1 ? factor_of(epilogue.y_scale) : 0;
    const auto store_made = [&] {
      const auto [token, row] = turns.place_before();
      __syncwarp();
      store<H, Element>(made, a, token + static_cast<int>(threadIdx.x) / 32 * 16, row);
      __syncwarp();
    };
    // Two threads of each warp tell the two blocks that it needs a stage no more.
    const bool tells = threadIdx.x % 32 < 2;
    const std::uint32_t empty = neighbour_address(shared.empty, threadIdx.x % 2);
    RingPlace place;
    Held<H> held{};  // of the tile before, whose activations are made while the matrix units work
    do {
      float d[H];
      const auto multiply = [&](bool first) {
        wait(shared.full + place.stage, place.phase);
        const Stage<H>& stage = shared.stage[place.stage];
        const std::uint64_t x = tile_descriptor(stage.x + threadIdx.x / 128 * 64 * 128),
                            w = tile_descriptor(stage.w[0]);
        products_begin();
#pragma unroll
        for (int k = 0; k < 4; ++k) {
          if constexpr (of_fp8<Product>) {
            multiply_fp8_tile<2 * H>(d, x + 2 * k, w + 2 * k, !first || k > 0);
          } else {
            multiply_tile<2 * H>(d, x + 2 * k, w + 2 * k, !first || k > 0);
          }
        }
        products_commit();
      };
      // Frees the stage that was used one step earlier: its products are done.
      const auto release_last = [&] {
        const int last = place.stage == 0 ? depth<H> - 1 : place.stage - 1;
        if (tells) arrive_at(empty + last * sizeof(std::uint64_t));
      };
      const auto release = [&](bool first) {
        products_wait<1>();
        if (!first) release_last();
        place.next(depth<H>);
      };
      int step = 0;
      if (turns.any_before()) {
#pragma unroll
        for (int j = 0; j < H / 8; ++j) {
          if (j < steps) multiply(j == 0);
          make<H, Element>(made, held, j, factor);
          if (j < steps) release(j == 0);
        }
        store_made();
        step = H / 8;
      }
      for (; step < steps; ++step) {
        multiply(step == 0);
        release(step == 0);
      }
      products_wait<0>();
      release_last();
      pin(d);
      held.take(d, scale);
    } while (turns.next());
#pragma unroll
    for (int j = 0; j < H / 8; ++j) make<H, Element>(made, held, j, factor);
    store_made();
  }
  __syncwarp();
  meet_cluster();  // what the other still sends arrives in memory that is this block's
#endif
}

template <int H, class Product>
void start(const Product& a, const Epilogue& epilogue, const GatedTiles& tiles, const StreamedMaps& maps,
           const Queue& queue) {
  const std::int64_t pairs = tiles.token_places(a.tokens) * tiles.row_places(a.out),
                     places = queue.processors / 2;
  const auto kernel = epilogue.y_scale == nullptr ? &gated<Product, H, Bf16> : &gated<Product, H, Fp8>;
  launch(queue, kernel, static_cast<unsigned>(2 * (pairs < places ? pairs : places)), threads,
         sizeof(Shared<H>) + 1024, maps, a, epilogue, tiles);
}

template <class Product>
void start_for(const Product& a, const Epilogue& epilogue, const GatedTiles& tiles, const StreamedMaps& maps,
               const Queue& queue) {
  [&]<std::size_t... i>(std::index_sequence<i...>) {
    ((tiles.rows == GatedTiles::heights[i] ? start<GatedTiles::heights[i]>(a, epilogue, tiles, maps, queue)
                                           : void()),
     ...);
  }
  (std::make_index_sequence<GatedTiles::heights.size()>{});
}

}  // namespace

void product_gated(const Bf16Product& a, const Epilogue& epilogue, const GatedTiles& tiles,
                   const StreamedMaps& maps, const Queue& queue) {
  start_for(a, epilogue, tiles, maps, queue);
}
void product_gated(const Fp8Product& a, const Epilogue& epilogue, const GatedTiles& tiles,
                   const StreamedMaps& maps, const Queue& queue) {
  start_for(a, epilogue, tiles, maps, queue);
}

}  // namespace inferometer::cuda
