#include "roofline/kernels/decode_attention.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "roofline/kernels/turns.hpp"

namespace inferometer {
namespace {

enum P : std::size_t {
  floor_,
  ramp,
  group,
  occ,
  feed,
  whole,
  me,
  ovl,
  join,
  traffic,
  pre,
  empty,
  lone_ramp,
  lone_feed,
  lone_slots,
  before
};

/// source  generic values: fitted to A100 (vLLM) and H200 (TensorRT-LLM) together
constexpr std::array specs{
    KernelParameter{"floor", "us", "a call of no size", 1, 20, 6.5},
    KernelParameter{"ramp", "us", "start and end of a thread block", 0.05, 12, 1.5},
    KernelParameter{"group", "1", "query heads beyond the first 8 reach this fraction of the matrix peak",
                    0.02, 2, 0.35},
    KernelParameter{"resident", "1", "thread blocks that a multiprocessor runs at once", 0.4, 4, 1.0},
    KernelParameter{
        "stream", "1",
        "keys and values that a thread block takes, relative to its multiprocessor's share of memory", 0.15,
        10, 1.5},
    KernelParameter{"whole_waves", "1", "0: blocks are spread evenly, 1: waves are whole", 0.001, 1, 0.9},
    KernelParameter{"memory_efficiency", "1", "long streams reach this fraction of the memory bandwidth", 0.3,
                    1, 0.97},
    KernelParameter{"overlap_loss", "1",
                    "part of the shorter of blocks and memory that the longer does not hide", 0, 0.8, 0.34},
    KernelParameter{"join", "us", "joining of the parts of split keys", 0.01, 15, 4},
    KernelParameter{"join_traffic", "1", "partial outputs written and read, relative to memory", 0.01, 8,
                    4.1},
    KernelParameter{"preparation", "1", "traffic of rotation and output, relative to memory", 0.01, 20, 1.5},
    KernelParameter{"empty", "1", "thread block all of whose keys are outside the window, in ramps", 0.01,
                    1.5, 0.9},
    KernelParameter{"lone_ramp", "us", "start and end of a block of one query head", 0.05, 20, 2.7},
    KernelParameter{"lone_stream", "1", "keys and values that such a block takes, likewise", 0.03, 10, 0.85},
    KernelParameter{"lone_resident", "1", "such blocks at once, relative to shared ones", 0.3, 16, 1.9},
    KernelParameter{"ahead", "us", "kernels ahead that some calls need: regrouping of queries, rotation",
                    0.01, 15, 7},
};

/// The same for fp8 caches, whose kernels join parts and rotate themselves. source  fitted to H200
constexpr auto fp8_specs = [] {
  auto all = specs;
  constexpr std::array generic{4., 1., 0.2, 1.3, 1.6, 0.4, 0.97, 0.6, 1.9, 2.0, 3.0, 0.1, 4.3, 0.3, 3.0, 2.3};
  for (std::size_t i = 0; i < all.size(); ++i) all[i].generic = generic[i];
  return all;
}();

bool before_hopper(const Chip& c) { return c.generation() < 0.75; }
bool hopper(const Chip& c) { return !before_hopper(c) && c.generation() < 1.5; }

/// Query heads that one block can share keys between: rows of its tile. More are a block each.
double rows_of(const Chip& c) { return before_hopper(c) ? 64 : 32; }

/// The sizes that the model works with.
struct Load {
  bool lone;                          ///< blocks are of one query head
  double heads;                       ///< blocks without a split
  double group;                       ///< query heads of a block
  double keys, length, hd, kv_bytes;  ///< keys: within the window
};

Load load_of(const DecodeAttention& a, const Chip& c) {
  const double g = static_cast<double>(a.num_q_heads) / static_cast<double>(a.num_kv_heads);
  const bool apart = g > rows_of(c);
  const double length = static_cast<double>(a.kv_len);
  return {.lone = apart || (hopper(c) && g == 1),
          .heads = static_cast<double>(a.batch * (apart ? a.num_q_heads : a.num_kv_heads)),
          .group = apart ? 1 : g,
          .keys = a.window > 0 ? std::min(length, static_cast<double>(a.window)) : length,
          .length = length,
          .hd = static_cast<double>(a.head_dim),
          .kv_bytes = info(a.kv).input_bytes};
}

/// Rows by which a tile grows: a kernel before Hopper always works on all of its rows.
double granule_of(const Chip& c) { return before_hopper(c) ? 64 : 8; }

/// Blocks of one query head, and those for 16-bit caches on Hopper: by a kernel of the generation before, as
/// long to start as these; Hopper's own for fp8 caches, and FlashAttention-2 on A100, start in a third of it.
/// source  TensorRT-LLM: kernels/xqa, mha.cu and mha_sm90.cu; measured on H200 and A100
bool slow_start(const Load& l, const Chip& c) { return l.lone || (hopper(c) && l.kv_bytes == 2); }

/// Time of the blocks with the keys in `parts`, and of joining them. Parts are made of all cached keys; those
/// that the window leaves out are started too.
double blocks_time(const DecodeAttention& a, const Load& l, const Chip& c, Values p, double parts) {
  const double keys = std::min(l.keys, l.length / parts);
  const double busy = std::min(parts, std::ceil(l.keys * parts / l.length));
  const double first = slow_start(l, c) ? p[lone_ramp] : p[ramp];
  const double slots = c.sms * p[occ] * (l.lone ? p[lone_slots] : 1.0);
  const double taken = l.lone ? keys : std::max(keys, 128.0);  // shared blocks take whole tiles
  // A kernel keeps as much in flight as its memory needs: what a block takes grew with bandwidth.
  const double share = c.bandwidth / c.sms * (l.lone ? p[lone_feed] : p[feed]);
  const double stream = 2 * taken * l.hd * l.kv_bytes / share;
  const double more_rows = (std::ceil(l.group / granule_of(c)) - 1) * granule_of(c);
  const double rows = 4 * more_rows * taken * l.hd / (c.flops / c.sms * p[group]);
  const double work = std::max(stream, rows);
  const double w = turns(l.heads * busy, slots, p[whole]);
  double t = w * (first + work);
  t += l.heads * (parts - busy) / slots * p[empty] * first;
  if (parts > 1) {
    const double partial = 4 * parts * static_cast<double>(a.batch * a.num_q_heads) * (l.hd + 2);
    t += p[join] + p[traffic] * partial / c.bandwidth;
  }
  return t;
}

/// Two copies that bring the heads of a group together, needed where both sequences and groups are several.
/// source  flash-attention, mha_fwd_kvcache: query heads swapped into the sequence dimension
bool regrouped(const DecodeAttention& a, const Chip& c) {
  return before_hopper(c) && a.batch > 1 && a.num_kv_heads > 1 && a.num_q_heads > a.num_kv_heads;
}

/// Kernels for fp8 caches: Hopper's rotates q and k itself, but is for heads of 128 and more; later ones have
/// it done by a kernel ahead.
/// source  TensorRT-LLM: applyRoPEInXqaKernel of its JIT kernels for Hopper, invokeQKVPreprocessing before
/// its
///         kernels for Blackwell; the measured floor on Hopper, 2 to 3 us higher at heads of 64
bool rotated_ahead(const DecodeAttention& a, const Load& l, const Chip& c) {
  if (before_hopper(c) || l.kv_bytes != 1) return false;
  return !hopper(c) || (!l.lone && a.head_dim < 128);
}

/// Rotation of q and k, the new token's cache entry, the output, and kernels ahead that only some calls need.
double around_time(const DecodeAttention& a, const Load& l, const Chip& c, Values p) {
  const bool copies = regrouped(a, c);
  const double q = static_cast<double>(a.num_q_heads), kv = static_cast<double>(a.num_kv_heads);
  const double heads = static_cast<double>(a.batch) * (q + kv + (copies ? 2 * q : 0.0));
  const double ahead = copies || rotated_ahead(a, l, c) ? p[before] : 0.0;
  return p[pre] * 4 * heads * l.hd / c.bandwidth + ahead;
}

/// Thread blocks spread over two slots a multiprocessor: the fewest parts, none under 128 keys, whose last
/// turn is at least 0.85 times as full as the best. source  Dao et al., flash-attention, num_splits_heuristic
double evenest_parts(const Load& l, const Chip& c) {
  const double slots = 2 * c.sms, tiles = std::ceil(l.length / 128);
  if (l.heads >= 0.8 * slots) return 1;
  const double most = std::min({128.0, slots, tiles});
  const auto fill = [&](double parts) {
    return l.heads * parts / slots / std::ceil(l.heads * parts / slots);
  };
  const auto same = [&](double parts) {
    return parts > 1 && std::ceil(tiles / parts) == std::ceil(tiles / (parts - 1));
  };
  double best = 0;
  for (double parts = 1; parts <= most; ++parts) best = same(parts) ? best : std::max(best, fill(parts));
  for (double parts = 1; parts <= most; ++parts) {
    if (!same(parts) && fill(parts) >= 0.85 * best) return parts;
  }
  return 1;
}

/// Numbers of parts that the fastest is taken of. Before Hopper the rule above decides, on Hopper parts of
/// 128 keys up to eight turns of blocks; other kernels search. A block of one head takes 65536 elements at
/// least.
std::vector<double> parts_tried(const DecodeAttention& a, const Load& l, const Chip& c) {
  if (before_hopper(c)) return {a.num_q_heads > a.num_kv_heads ? evenest_parts(l, c) : 1.0};
  if (hopper(c) && !l.lone) {
    const double most = std::max(1.0, std::floor(8 * c.sms / l.heads));
    return {std::clamp(std::floor(l.length / 128), 1.0, most)};
  }
  if (!l.lone) return {std::clamp(std::floor(c.sms / l.heads), 1.0, std::ceil(l.length / 128))};
  const double least = l.lone ? 65536 / l.hd : 128;
  std::vector<double> tried{1};
  for (const double parts : {2., 3., 4., 6., 8., 12., 16., 24., 32., 48., 64., 96., 128.}) {
    if (l.length / parts >= least) tried.push_back(parts);
  }
  return tried;
}

}  // namespace

std::span<const KernelParameter> DecodeAttention::parameters() const {
  return kv == Format::fp8 ? fp8_specs : specs;
}

std::string DecodeAttention::label() const {
  return "batch " + std::to_string(batch) + ", " + std::to_string(kv_len) + " tokens, heads " +
         std::to_string(num_q_heads) + "/" + std::to_string(num_kv_heads) + " of " +
         std::to_string(head_dim) + ", window " + std::to_string(window);
}

std::vector<double> DecodeAttention::features() const {
  const auto log = [](std::int64_t v) { return std::log2(static_cast<double>(v)); };
  const bool windowed = window > 0 && window < kv_len;
  return {log(batch * num_kv_heads),
          log(windowed ? window : kv_len),
          log(num_q_heads) - log(num_kv_heads),
          log(kv_len),
          2 * log(head_dim),
          windowed ? 2.0 : 0.0};
}

KernelTime DecodeAttention::time(const Chip& c, Values p) const {
  const Load l = load_of(*this, c);
  const double bytes = 2 * static_cast<double>(batch * num_kv_heads) * l.keys * l.hd * l.kv_bytes;
  const double cached = cached_fraction(bytes, c.l2);
  // A cache that stayed in L2 streams at the bandwidth of memory: replays of small ones are no faster.
  const double memory = bytes / c.bandwidth * ((1 - cached) / p[me] + cached);
  std::pair<double, double> best{1e30, 0};
  for (const double parts : parts_tried(*this, l, c)) {
    const double blocks = blocks_time(*this, l, c, p, parts);
    best = std::min(best, {std::max(blocks, memory) + p[ovl] * std::min(blocks, memory), blocks});
  }
  return {p[floor_] + best.first + around_time(*this, l, c, p), p[floor_], best.second, memory};
}

}  // namespace inferometer
