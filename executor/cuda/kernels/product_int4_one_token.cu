#include "executor/cuda/kernels/first_fill.cuh"
#include "executor/cuda/kernels/int4.cuh"
#include "executor/cuda/kernels/mma.cuh"
#include "executor/cuda/kernels/one_token_row.cuh"

// Matrix units multiply bytes: expanding int4 to bf16 took longer than fetching it. x becomes integers of 24
// bits relative to the largest of its group, cut into three bytes, which are three of the eight columns that
// matrix units multiply by anyway; sums are exact.

namespace inferometer::cuda {
namespace {

/// Runs of 32 rows are dealt out to the blocks; of each the warps take groups of inputs in turns, through
/// rings of their own.
constexpr int warps = 16, threads = warps * 32, most_depth = 8;
using Kind = Prologue::Kind;

/// A group of x in 23 bits relative to its largest: round(x 2^(148 - e)), with e the (biased) exponent of
/// that, is 65536 high + 256 middle + low. Where one is infinite or NaN, so is what comes of it (NaN).
struct Group {
  /// [column / 16]: high, middle and low, of columns 2 c, 2 c + 8, 2 c + 1 and 2 c + 9 from 4 c on, as int4
  /// words have them
  std::int8_t x[int4_group / 16][3][16];
  int sums[2];     ///< of 256 high + middle; of 256 low
  float units[2];  ///< what these count
};
static_assert(sizeof(Group) == 400);

/// In front of the groups, the row in bf16 where it is a norm's, and the rings.
struct alignas(16) Shared {
  float sums[2][warps][32];  ///< of a run, by each warp, in turns
  float squares[warps];
  std::uint64_t full[warps][most_depth], over;
};
struct Arguments {
  Bf16Product product;
  const Int4Unit* w;
  Prologue prologue;
  Epilogue epilogue;
  int depth;
};

constexpr std::int64_t x_bytes(std::int64_t in, bool norm) {
  return int4_groups(in) * static_cast<std::int64_t>(sizeof(Group) + (norm ? 2 * int4_group : 0));
}
constexpr int depth_of(std::int64_t in, bool norm) {
  const std::int64_t left = 227 * 1024 - static_cast<std::int64_t>(sizeof(Shared)) - x_bytes(in, norm);
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

/// Four values of x, of columns that a word of int4 has together.
struct Four {
  unsigned first = 0, second = 0;  ///< bf16 of columns 2 c and 2 c + 1; of 2 c + 8 and 2 c + 9

  __device__ __forceinline__ static float low(unsigned pair) { return __uint_as_float(pair << 16); }
  __device__ __forceinline__ static float high(unsigned pair) { return __uint_as_float(pair & 0xffff0000U); }
};
/// Where a lane has them in a group.
__device__ __forceinline__ int four_at(int lane) { return lane / 4 * 16 + lane % 4 * 2; }

/// By a warp.
__device__ __forceinline__ void make_group(Group& group, const Four& x) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const auto larger = [](unsigned pair) { return max(pair & 0x7fffU, pair >> 16 & 0x7fffU); };
  const unsigned largest = __reduce_max_sync(~0U, max(larger(x.first), larger(x.second)));
  constexpr int least = 30;  // below, units of the low bytes would be no floats
  const int e = max(static_cast<int>(largest >> 7), least);
  const float scale = __int_as_float((275 - e) << 23);
  // A float this large holds integers. Bytes that 128 was added to are without signs.
  constexpr float integers = 0x1.8p23F;
  const auto bytes_of = [&](float v) {
    return __float_as_uint(fmaf(v, scale, integers)) - __float_as_uint(integers) + 0x808080U;
  };
  const unsigned v[4] = {bytes_of(Four::low(x.first)), bytes_of(Four::low(x.second)),
                         bytes_of(Four::high(x.first)), bytes_of(Four::high(x.second))};
  // Low and middle bytes of two; then the same bytes of all four.
  const unsigned first = __byte_perm(v[0], v[1], 0x5140), second = __byte_perm(v[2], v[3], 0x5140);
  const unsigned bytes[3] = {
      __byte_perm(__byte_perm(v[0], v[1], 0x0062), __byte_perm(v[2], v[3], 0x0062), 0x5410) ^ 0x80808080U,
      __byte_perm(first, second, 0x7632) ^ 0x80808080U, __byte_perm(first, second, 0x5410) ^ 0x80808080U};
  int sums[3];
#pragma unroll
  for (int p = 0; p < 3; ++p) {
    *reinterpret_cast<unsigned*>(&group.x[lane / 4][p][lane % 4 * 4]) = bytes[p];
    sums[p] = __dp4a(static_cast<int>(bytes[p]), 0x01010101, 0);
  }
  const int upper = __reduce_add_sync(~0U, 256 * sums[0] + sums[1]),
            lower = __reduce_add_sync(~0U, 256 * sums[2]);
  if (lane != 0) return;
  const bool finite = e < 255;
  group.sums[0] = upper;
  group.sums[1] = lower;
  group.units[0] = __int_as_float(finite ? (e - 13) << 23 : 0x7fffffff);
  group.units[1] = __int_as_float(finite ? (e - 29) << 23 : 0x7fffffff);
}

/// total += of 32 rows of one group of inputs.   total: of rows l / 4 + 8 i in element i; lanes with l % 4 =
/// 0 have the upper bytes' part, those with 1 the lowest's, others nothing of use
__device__ __forceinline__ void multiply(float (&total)[4], const Int4Rows& w, const Group& group) {
  const int lane = static_cast<int>(threadIdx.x) % 32, at = lane / 4 * 4;
  const uint2 scales = *reinterpret_cast<const uint2*>(w.scales + at);
  const unsigned zeros = *reinterpret_cast<const std::uint16_t*>(w.zeros + at / 2);
  const auto* q = reinterpret_cast<const uint4*>(w.q) + lane;
  // Columns beyond the third are the third again.
  const std::uint32_t x = shared_address(&group.x[lane / 8][min(lane % 8, 2)][0]);
  int d[2][4] = {};
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    unsigned b[4];
    load_matrices<false>(b, x + static_cast<unsigned>(half * 4 * sizeof(group.x[0])));
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const uint4 words = q[r * 64 + half * 32];
      constexpr unsigned nibbles = 0x0f0f0f0fU;
      const unsigned first[4] = {words.x & nibbles, words.x >> 4 & nibbles, words.y & nibbles,
                                 words.y >> 4 & nibbles};
      const unsigned second[4] = {words.z & nibbles, words.z >> 4 & nibbles, words.w & nibbles,
                                  words.w >> 4 & nibbles};
      multiply_add(d[r], first, b[0], b[1]);
      multiply_add(d[r], second, b[2], b[3]);
    }
  }
  const int part = lane % 2, sum = group.sums[part], middle = part == 0 ? 1 : 0;
  const float unit = group.units[part];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int zero = static_cast<int>(zeros >> (4 * i) & 15U);
    const int value = d[i / 2][i % 2 * 2] * 256 + d[i / 2][i % 2 * 2 + 1] * middle - zero * sum;
    total[i] =
        fmaf(half_bits(i / 2 == 0 ? scales.x : scales.y, i % 2) * unit, static_cast<float>(value), total[i]);
  }
}

/// Columns `at`, `at` + 1, `at` + 8 and `at` + 9 of the row that is multiplied; behind its end they are zero.
/// row: of a norm, in shared memory
template <Kind K>
__device__ __forceinline__ Four four_of(const Arguments& a, const Bf16* row, int at) {
  const int in = a.product.in;
  const auto two_of = [&](int i) -> unsigned {
    if (i >= in) return 0;
    if constexpr (is_norm(K)) {
      return *reinterpret_cast<const unsigned*>(row + i);
    } else {
      const unsigned x = __ldcg(reinterpret_cast<const unsigned*>(a.product.x + i));
      if constexpr (K == Kind::none) return x;
      const unsigned up = __ldcg(reinterpret_cast<const unsigned*>(a.prologue.second + i));
      return pack(gate_silu(Four::low(x), Four::low(up)), gate_silu(Four::high(x), Four::high(up)));
    }
  };
  return {two_of(at), two_of(at + 8)};
}
#endif

template <Kind K>
__global__ void __launch_bounds__(threads, 1) one_token(const __grid_constant__ Arguments a) {
#ifdef INFEROMETER_HOPPER
  extern __shared__ __align__(128) unsigned char memory[];
  auto& shared = *reinterpret_cast<Shared*>(memory);
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int groups = static_cast<int>(int4_groups(a.product.in));
  auto* x = reinterpret_cast<Group*>(memory + sizeof(Shared));
  auto* row = reinterpret_cast<Eight*>(x + groups);
  auto* slots = reinterpret_cast<Int4Rows*>(reinterpret_cast<unsigned char*>(row) +
                                            (is_norm(K) ? groups * int4_group * 2 : 0)) +
                warp * a.depth;
  std::uint64_t* full = shared.full[warp];
  Chunks next(a);
  const int runs = next.runs, pieces = next.pieces;
  const std::uint64_t policy = read_once();
  const auto load = [&](int slot) {
    expect_bytes(full + slot, sizeof(Int4Rows));
    copy_bulk(slots + slot, next.at, sizeof(Int4Rows), full + slot, policy);
    next.advance();
  };
  FirstFill<warps> fill{&shared.over, full, a.depth};
  const auto fill_next = [&] {
    if (!next.left()) return false;
    load(fill.filled);
    return true;
  };
  fill.begin(fill_next);
  fetch_weight<K, threads>(a.prologue, a.product.in);
  fill.wait(fill_next);
  const auto asked = [&] { fill.end(fill_next); };
  if constexpr (is_norm(K)) {
    make_row<K, warps>(a.product.x, a.product.in, a.prologue, row, shared.squares, asked,
                       [&](int e, const Eight& v) { row[e] = v; });
    __syncthreads();
  }
  // Each warp makes the groups that it multiplies.
  constexpr int most_ahead = is_norm(K) ? 2 : 8;  // the latter come from global memory
#pragma unroll 1
  for (int all = 0; all < groups; all += most_ahead * warps) {
    const int from = all + warp;
    Four fours[most_ahead];
#pragma unroll
    for (int n = 0; n < most_ahead; ++n)
      fours[n] =
          four_of<K>(a, reinterpret_cast<const Bf16*>(row), (from + n * warps) * int4_group + four_at(lane));
    if constexpr (!is_norm(K)) {
      if (all + most_ahead * warps >= groups) asked();
    }
#pragma unroll
    for (int n = 0; n < most_ahead; ++n) {
      if (from + n * warps < groups) make_group(x[from + n * warps], fours[n]);
    }
  }
  __syncwarp();
  float gate = 0;
  int slot = 0;
  unsigned parity = 0;
  for (int run = 0; run < runs; ++run) {
    float total[4] = {};
#pragma unroll 1
    for (int piece = 0; piece < pieces; ++piece) {
      wait(full + slot, parity);
      multiply(total, slots[slot], x[warp + piece * warps]);
      __syncwarp();
      if (lane == 0 && next.left()) load(slot);
      if (++slot == a.depth) {
        slot = 0;
        parity ^= 1U;
      }
    }
    float(&sums)[warps][32] = shared.sums[run % 2];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float all = total[i] + __shfl_down_sync(~0U, total[i], 1);
      if (lane % 4 == 0) sums[warp][lane / 4 + 8 * i] = all;
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
  const std::size_t shared = sizeof(Shared) + static_cast<std::size_t>(x_bytes(a.product.in, is_norm(K))) +
                             sizeof(Int4Rows) * static_cast<std::size_t>(warps * a.depth);
  launch(queue, &one_token<K>, static_cast<unsigned>(queue.processors), threads, shared, a);
}

}  // namespace

bool int4_one_token_fits(std::int64_t in) { return depth_of(in, true) >= 2; }

void product_int4_one_token(const Bf16Product& product, const Int4Unit* w, const Prologue& p,
                            const Epilogue& epilogue, const Queue& queue) {
  const Arguments a{product, w, p, epilogue, depth_of(product.in, is_norm(p.kind))};
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
