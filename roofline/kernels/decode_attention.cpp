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
  each,
  traffic,
  pre,
  empty,
  lone_ramp,
  lone_feed,
  before
};

/// source  generic values: fitted to A100 (vLLM) and H200 (TensorRT-LLM) together, as many calls of each;
/// those of
///         lone blocks to H200 alone, of parts joined one by one and of kernels ahead to A100, which alone
///         has them
constexpr std::array specs{
    KernelParameter{"floor", "us", "a call of no size", 1, 20, 6.4},
    KernelParameter{"ramp", "us", "start and end of a thread block", 0.05, 3, 1.2},
    KernelParameter{"group", "1", "query heads beyond the first 8 reach this fraction of the matrix peak",
                    0.02, 2, 0.07},
    KernelParameter{"resident", "1", "thread blocks that a multiprocessor runs at once", 0.4, 4, 1.03},
    KernelParameter{"stream", "B/cycle",
                    "keys and values that a thread block takes on Hopper; other generations in proportion", 3,
                    128, 34},
    KernelParameter{"whole_waves", "1", "0: blocks are spread evenly, 1: waves are whole", 0.001, 1, 0.83},
    KernelParameter{"memory_efficiency", "1", "long streams reach this fraction of the memory bandwidth", 0.3,
                    1, 0.9},
    KernelParameter{"overlap_loss", "1",
                    "part of the shorter of blocks and memory that the longer does not hide; of lone blocks, "
                    "of their starts",
                    0, 0.8, 0.26},
    KernelParameter{"join", "us", "joining of the parts of split keys", 0.01, 15, 2.6},
    KernelParameter{"join_part", "us", "each part, where they are joined one by one", 0.001, 1, 0.2},
    KernelParameter{"join_traffic", "1", "partial outputs written and read, relative to memory", 0.01, 8,
                    2.7},
    KernelParameter{"preparation", "1", "traffic of rotation and output, relative to memory", 0.01, 20, 1.5},
    KernelParameter{"empty", "1", "thread block all of whose keys are outside the window, in ramps", 0.01,
                    1.5, 0.4},
    KernelParameter{"lone_ramp", "us", "start and end of a block of one query head", 0.05, 20, 4.6},
    KernelParameter{"lone_stream", "1/cycle",
                    "elements of keys and values that a multiprocessor takes for blocks of one query head", 1,
                    100, 11},
    KernelParameter{"ahead", "us", "kernels ahead that some calls need: regrouping of queries, rotation",
                    0.01, 15, 6},
};

/// The same for fp8 caches, whose kernels join parts and rotate themselves. source  fitted to H200
constexpr auto fp8_specs = [] {
  auto all = specs;
  constexpr std::array generic{4.4, 0.87, 0.064, 1.3, 40.,  0.95, 1.,   0.66,
                               2.1, 0.2,  2.1,   3.8, 0.01, 4.8,  12.8, 2.2};
  for (std::size_t i = 0; i < all.size(); ++i) all[i].generic = generic[i];
  return all;
}();

bool before_hopper(const Chip& c) { return c.generation() < 0.75; }
bool hopper(const Chip& c) { return !before_hopper(c) && c.generation() < 1.5; }

/// The sizes that the model works with.
struct Load {
  bool lone;                          ///< blocks are of one query head
  double heads;                       ///< blocks without a split
  double group;                       ///< query heads of a block
  double keys, length, hd, kv_bytes;  ///< keys: within the window
};

/// Groups of more than 32 query heads, and on Hopper those of one, go to a kernel that shares no keys.
/// source  read off times measured on H200 and B200 with TensorRT-LLM
Load load_of(const DecodeAttention& a, const Chip& c) {
  const double g = static_cast<double>(a.num_q_heads) / static_cast<double>(a.num_kv_heads);
  const bool lone = !before_hopper(c) && (g > 32 || (hopper(c) && g == 1));
  const double length = static_cast<double>(a.kv_len);
  return {.lone = lone,
          .heads = static_cast<double>(a.batch * (lone ? a.num_q_heads : a.num_kv_heads)),
          .group = lone ? 1 : g,
          .keys = a.window > 0 ? std::min(length, static_cast<double>(a.window)) : length,
          .length = length,
          .hd = static_cast<double>(a.head_dim),
          .kv_bytes = info(a.kv).input_bytes};
}

/// Thread blocks one after another on their multiprocessors, without what memory keeps them waiting.
struct Blocks {
  double starts = 0, streams = 0;
};

/// Heads that the kernel for lone blocks was compiled for.
double compiled_hd(const Load& l) { return std::exp2(std::ceil(std::log2(l.hd))); }

/// Blocks of one query head. A multiprocessor runs 32 warps of them: four blocks of 256 threads where there
/// are enough heads, otherwise two or one of more threads. Its vector units bound them, so that what it takes
/// is counted in elements, and the blocks on it share that.
/// source  TensorRT-LLM, kernels/decoderMaskedMultiheadAttention: block_size_factor; fp8 and 16-bit caches
///         measured on H200 stream as many elements a cycle, at 2.9 and 4.4 of 4.8 TB/s
Blocks lone_blocks(const Load& l, const Chip& c, Values p, double parts) {
  const double threads = std::ceil(4 * c.sms / l.heads);
  const double resident = threads <= 1 ? 4 : threads <= 3 ? 2 : 1;
  const double elements = 2 * l.keys / parts * compiled_hd(l);
  const double w = turns(l.heads * parts, c.sms * resident, p[whole]);
  return {w * p[lone_ramp], w * elements * resident / (p[lone_feed] * c.clock)};
}

/// Rows by which a tile grows: a kernel before Hopper always works on all of its rows.
double granule_of(const Chip& c) { return before_hopper(c) ? 64 : 8; }

/// Blocks that share keys between the query heads of a group. Before Blackwell parts are made of all cached
/// keys, and those that the window leaves out are started too.
Blocks shared_blocks(const Load& l, const Chip& c, Values p, double parts) {
  const double cut = before_hopper(c) || hopper(c) ? l.length : l.keys;
  const double keys = std::min(l.keys, cut / parts);
  const double busy = std::min(parts, std::ceil(l.keys * parts / cut));
  // Hopper's kernel for 16-bit caches is of the generation before, as long to start as lone blocks; its own
  // for fp8 caches, and FlashAttention-2 on A100, start in a third of it. source  TensorRT-LLM: kernels/xqa,
  // mha.cu and mha_sm90.cu; measured on H200 and A100
  const double first = hopper(c) && l.kv_bytes == 2 ? p[lone_ramp] : p[ramp];
  const double taken = std::max(keys, 128.0);  // whole tiles
  // What feeds the matrix units grew with them; memory that is faster on the same multiprocessors does not
  // make them faster. Fitted alone, A100, H200 and B200 have 31, 28 to 30 and 33 to 38 B/cycle in this unit.
  const double stream = 2 * taken * l.hd * l.kv_bytes / (p[feed] * c.generation() * c.clock);
  const double more_rows = (std::ceil(l.group / granule_of(c)) - 1) * granule_of(c);
  const double rows = 4 * more_rows * taken * l.hd / (c.flops / c.sms * p[group]);
  const double slots = c.sms * p[occ];
  const double w = turns(l.heads * busy, slots, p[whole]);
  const double skipped = l.heads * (parts - busy) / slots * p[empty] * first;
  return {w * first + skipped, w * std::max(stream, rows)};
}

/// Partial outputs, written and read, where keys are split. FlashAttention-2 goes over them one by one, later
/// kernels side by side. source  flash-attention, combine_attn_seqk_parallel
double join_time(const DecodeAttention& a, const Load& l, const Chip& c, Values p, double parts) {
  if (parts <= 1) return 0;
  const double partial = 4 * parts * static_cast<double>(a.batch * a.num_q_heads) * (l.hd + 2);
  const double one_by_one = before_hopper(c) ? p[each] * parts : 0;
  return p[join] + one_by_one + p[traffic] * partial / c.bandwidth;
}

/// Two copies that bring the heads of a group together, needed where both sequences and groups are several.
/// source  flash-attention, mha_fwd_kvcache: query heads swapped into the sequence dimension
bool regrouped(const DecodeAttention& a, const Chip& c) {
  return before_hopper(c) && a.batch > 1 && a.num_kv_heads > 1 && a.num_q_heads > a.num_kv_heads;
}

/// Kernels for fp8 caches: Hopper's rotates q and k itself, but is for heads of 128 and more; later ones have
/// it done by a kernel ahead.
/// source  TensorRT-LLM: applyRoPEInXqaKernel of its JIT kernels for Hopper, invokeQKVPreprocessing before
///         its kernels for Blackwell; the measured floor on Hopper, 2 to 3 us higher at heads of 64
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

/// Parts that the keys are split into. Before Hopper the rule above decides. Lone blocks are split to one a
/// multiprocessor and a few more, each for one pass of its threads over the keys at least. Those that share
/// keys are split on Hopper into 128 keys up to eight turns, later up to one block a multiprocessor.
/// source  TensorRT-LLM, getMaxNumSeqLenTile() and multi_block_grid_setup(): 1024 threads take 8 pieces of 8
///         elements each; the others are read off measured times
double parts_of(const DecodeAttention& a, const Load& l, const Chip& c) {
  if (before_hopper(c)) return a.num_q_heads > a.num_kv_heads ? evenest_parts(l, c) : 1.0;
  if (l.lone) return std::min(std::ceil(c.sms / l.heads), std::floor(l.length * compiled_hd(l) / 65536) + 1);
  if (!hopper(c)) return std::clamp(std::floor(c.sms / l.heads), 1.0, std::ceil(l.keys / 128));
  return std::clamp(std::floor(l.length / 128), 1.0, std::max(1.0, std::floor(8 * c.sms / l.heads)));
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
  const double parts = parts_of(*this, l, c);
  const Blocks b = l.lone ? lone_blocks(l, c, p, parts) : shared_blocks(l, c, p, parts);
  const double joined = join_time(*this, l, c, p, parts), worked = b.starts + b.streams;
  // Several lone blocks share a multiprocessor: while one starts, others stream.
  const double attended = l.lone ? std::max(worked, memory + p[ovl] * b.starts)
                                 : std::max(worked, memory) + p[ovl] * std::min(worked, memory);
  return {p[floor_] + attended + joined + around_time(*this, l, c, p), p[floor_], worked + joined, memory};
}

}  // namespace inferometer
