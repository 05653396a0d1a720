#include "executor/cuda/kernels/hopper.cuh"
#include "executor/cuda/kernels/int4.cuh"
#include "executor/cuda/kernels/mma.cuh"
#include "executor/cuda/kernels/one_token_row.cuh"

namespace inferometer::cuda {
namespace {

/// Runs of 32 rows are dealt out to the blocks; of each the warps take groups of inputs in turns, through
/// rings of their own.
constexpr int warps = 16, threads = warps * 32, most_depth = 8;
using Kind = Prologue::Kind;

/// In front of the row and the rings.
struct Shared {
  float sums[2][warps][32];  ///< of a run, by each warp, in turns
  float squares[warps];
  std::uint64_t full[warps][most_depth];
};
struct Arguments {
  FewTokensProduct product;
  const Int4Unit* w;
  Prologue prologue;
  Epilogue epilogue;
  int depth;
};

constexpr std::int64_t row_bytes(std::int64_t in) { return int4_groups(in) * int4_group * 2; }
constexpr int depth_of(std::int64_t in) {
  const std::int64_t left = 227 * 1024 - static_cast<std::int64_t>(sizeof(Shared)) - row_bytes(in);
  const std::int64_t depth = left / (warps * static_cast<std::int64_t>(sizeof(Int4Rows)));
  return static_cast<int>(depth < most_depth ? depth : most_depth);
}

#ifdef INFEROMETER_HOPPER
/// The runs of this block and the chunks of this warp in them, one after another. Where gated, up's run comes
/// behind its gate's.
struct Chunks {
  const unsigned char* first;  ///< of this warp in the first run of the matrix
  std::int64_t tile_bytes;     ///< 128 rows
  int runs, pieces, up;        ///< up: runs of gates before those of up, 0: there are none
  const unsigned char* at = nullptr;
  int run = 0, piece = 0;

  __device__ __forceinline__ explicit Chunks(const Arguments& a) {
    const int warp = static_cast<int>(threadIdx.x) / 32, groups = static_cast<int>(int4_groups(a.product.in));
    const int all = (a.product.out + 31) / 32, block = static_cast<int>(blockIdx.x),
              grid = static_cast<int>(gridDim.x);
    first = reinterpret_cast<const unsigned char*>(a.w + warp);
    tile_bytes = static_cast<std::int64_t>(groups) * static_cast<int>(sizeof(Int4Unit));
    up = a.epilogue.gated ? all : 0;
    runs = (block < all ? (all - block + grid - 1) / grid : 0) * (a.epilogue.gated ? 2 : 1);
    pieces = groups > warp ? (groups - warp + warps - 1) / warps : 0;
    begin();
  }
  /// Which 32 rows of y run `r` of this block is of.
  __device__ __forceinline__ int target(int r) const {
    return static_cast<int>(blockIdx.x) + (up != 0 ? r / 2 : r) * static_cast<int>(gridDim.x);
  }
  __device__ __forceinline__ bool left() const { return run < runs && pieces > 0; }
  __device__ __forceinline__ void advance() {
    at += warps * sizeof(Int4Unit);
    if (++piece < pieces) return;
    piece = 0;
    ++run;
    begin();
  }

 private:
  __device__ __forceinline__ void begin() {
    const int of = target(run) + (up != 0 && run % 2 != 0 ? up : 0);
    at = first + of / 4 * tile_bytes + of % 4 * static_cast<int>(sizeof(Int4Rows));
  }
};

/// total += of 32 rows of one group of inputs.   total: of rows l / 4 + 8 i in element i
/// x: in shared memory, the group's in bf16
__device__ __forceinline__ void multiply(float (&total)[4], const Int4Rows& w, std::uint32_t x) {
  const int lane = static_cast<int>(threadIdx.x) % 32, at = lane / 4 * 4;
  constexpr unsigned ones[4] = {0x3f803f80U, 0x3f803f80U, 0x3f803f80U, 0x3f803f80U};
  const uint2 scales = *reinterpret_cast<const uint2*>(w.scales + at);
  const unsigned zeros = *reinterpret_cast<const std::uint16_t*>(w.zeros + at / 2);
  const auto* q = reinterpret_cast<const uint4*>(w.q) + lane;
  float d[2][4] = {}, sum[4] = {};
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const uint4 words[2] = {q[half * 32], q[64 + half * 32]};
#pragma unroll
    for (int two = 0; two < 2; ++two) {
      unsigned b[4];  // 32 inputs, the same for all eight columns
      load_matrices<false>(b, x + static_cast<unsigned>(half * 128 + (two * 4 + lane / 8) * 16));
#pragma unroll
      for (int k = 0; k < 2; ++k) {
#pragma unroll
        for (int r = 0; r < 2; ++r) {
          const uint4& of = words[r];
          unsigned a[4];
          unpack_word(a, two == 0 ? (k == 0 ? of.x : of.y) : (k == 0 ? of.z : of.w));
          multiply_add<false>(d[r], a, b[2 * k], b[2 * k + 1]);
        }
        multiply_add<false>(sum, ones, b[2 * k], b[2 * k + 1]);
      }
    }
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float offset = __uint_as_float(0x43000000U | (zeros >> (4 * i) & 15U) << 16);  // 128 + zero
    const float value = fmaf(-offset, sum[0], d[i / 2][i % 2 * 2]);
    total[i] = fmaf(half_bits(i / 2 == 0 ? scales.x : scales.y, i % 2), value, total[i]);
  }
}
#endif

template <Kind K>
__global__ void __launch_bounds__(threads, 1) one_token(const __grid_constant__ Arguments a) {
#ifdef INFEROMETER_HOPPER
  extern __shared__ __align__(128) unsigned char memory[];
  auto& shared = *reinterpret_cast<Shared*>(memory);
  auto* row = reinterpret_cast<Eight*>(memory + sizeof(Shared));
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int groups = static_cast<int>(int4_groups(a.product.in));
  auto* slots =
      reinterpret_cast<Int4Rows*>(memory + sizeof(Shared) + groups * int4_group * 2) + warp * a.depth;
  std::uint64_t* full = shared.full[warp];
  Chunks next(a);
  const int runs = next.runs, pieces = next.pieces;
  const auto load = [&](int slot) {
    expect_bytes(full + slot, sizeof(Int4Rows));
    copy_bulk(slots + slot, next.at, sizeof(Int4Rows), full + slot);
    next.advance();
  };
  if (lane == 0) {
    for (int s = 0; s < a.depth; ++s) init_barrier(full + s, 1);
    publish_barriers();
    for (int s = 0; s < a.depth && next.left(); ++s) load(s);
  }
  take_turn();
  const Eight zeros{};
  for (int i = a.product.in / 8 + static_cast<int>(threadIdx.x); i < groups * (int4_group / 8); i += threads)
    row[i] = zeros;
  make_row<K, warps>(a.product.x, a.product.in, a.prologue, row, shared.squares,
                     [&](int e, const Eight& x) { row[e] = x; });
  __syncthreads();
  const std::uint32_t x = shared_address(row) + static_cast<unsigned>(warp * int4_group * 2);
  float gate = 0;
  int slot = 0;
  unsigned parity = 0;
  for (int run = 0; run < runs; ++run) {
    float total[4] = {};
    for (int piece = 0; piece < pieces; ++piece) {
      wait(full + slot, parity);
      multiply(total, slots[slot], x + static_cast<unsigned>(piece * warps * int4_group * 2));
      __syncwarp();
      if (lane == 0 && next.left()) load(slot);
      if (++slot == a.depth) {
        slot = 0;
        parity ^= 1U;
      }
    }
    float(&sums)[warps][32] = shared.sums[run % 2];
    if (lane % 4 == 0) {
#pragma unroll
      for (int i = 0; i < 4; ++i) sums[warp][lane / 4 + 8 * i] = total[i];
    }
    __syncthreads();
    const bool gated = a.epilogue.gated;
    if (warp != (gated ? run / 2 : run) % warps) continue;
    float sum = 0;
#pragma unroll
    for (int w = 0; w < warps; ++w) sum += sums[w][lane];
    if (gated && run % 2 == 0) {
      gate = sum;
      continue;
    }
    const int at = next.target(run) * 32 + lane;
    if (gated) sum = gate_silu(to_float(to_bf16(gate)), to_float(to_bf16(sum)));
    store(a.product, at, 0, sum);
  }
#endif
}

template <Kind K>
void start(const Arguments& a, const Queue& queue) {
  const std::size_t shared = sizeof(Shared) + static_cast<std::size_t>(row_bytes(a.product.in)) +
                             sizeof(Int4Rows) * static_cast<std::size_t>(warps * a.depth);
  launch(queue, &one_token<K>, static_cast<unsigned>(queue.processors), threads, shared, a);
}

}  // namespace

bool int4_one_token_fits(std::int64_t in) { return depth_of(in) >= 2; }

void product_int4_one_token(const FewTokensProduct& product, const Int4Unit* w, const Prologue& p,
                            const Epilogue& epilogue, const Queue& queue) {
  const Arguments a{product, w, p, epilogue, depth_of(product.in)};
  switch (p.kind) {
    case Kind::none:
      return start<Kind::none>(a, queue);
    case Kind::norm:
      return start<Kind::norm>(a, queue);
    case Kind::add_norm:
      return start<Kind::add_norm>(a, queue);
    case Kind::gated:
      return start<Kind::gated>(a, queue);
  }
}

}  // namespace inferometer::cuda
