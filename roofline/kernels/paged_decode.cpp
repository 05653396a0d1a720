#include "roofline/kernels/paged_decode.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace inferometer {
namespace {

enum P : std::size_t {
  floor_,
  start,
  key,
  me,
  unfilled,
  whole,
  skew,
  join,
  part_,
  cluster_join,
  traffic,
  octet_floor,
  octet_round,
  octet_join
};

/// source  generic values: fitted to steps that were executed on an H200
constexpr std::array specs{
    KernelParameter{"floor", "us",
                    "a call of no size; below 0: keys are fetched while the kernel before ends", -5, 6, 0.5},
    KernelParameter{"start", "us", "start and end of a thread block", 0.6, 9, 3.5},
    KernelParameter{"key", "cycle", "a key and its value in a thread block by itself", 8, 110, 22},
    KernelParameter{"memory_efficiency", "1",
                    "streams of any number of blocks would reach this fraction of the memory bandwidth", 0.75,
                    1.1, 1.04},
    KernelParameter{"unfilled", "1",
                    "what a multiprocessor's thread blocks lack to keep their share of memory busy, in "
                    "blocks; for heads of more than 64, by each that it runs at once",
                    0, 2, 0.22},
    KernelParameter{"whole_waves", "1", "of equal sequences; 0: blocks are spread evenly, 1: waves are whole",
                    0, 1, 0.5},
    KernelParameter{"skew", "1",
                    "part of what the longest sequence's block takes behind the others that shows", 0.4, 1.5,
                    0.8},
    KernelParameter{"join", "us", "joining of the parts of split keys through memory", 0.3, 5, 1.8},
    KernelParameter{"join_part", "us", "each of them", 0.005, 0.5, 0.05},
    KernelParameter{"join_cluster", "us", "joining within a cluster", 0.1, 4, 0.6},
    KernelParameter{"join_traffic", "1", "partial outputs written and read, relative to memory", 0.5, 10,
                    2.9},
    KernelParameter{"octet_floor", "us", "few pairs: a call of no size", -1, 6, 2.5},
    KernelParameter{"octet_round", "us", "few pairs: a round of 64 keys of a thread block", 0.05, 2, 0.35},
    KernelParameter{"octet_join", "us",
                    "few pairs: joining of the parts in a cluster; through memory 2.5 of it", 0.1, 5, 0.8},
};

/// The same for heads of 64. source  as decode_splits()
constexpr auto specs_of_64 = [] {
  auto all = specs;
  all[unfilled].generic = 0.5;
  return all;
}();

}  // namespace

std::span<const KernelParameter> PagedDecode::parameters() const {
  return head_dim <= 64 ? specs_of_64 : specs;
}

std::string PagedDecode::variant() const {
  return std::string{inferometer::name(kv)} + (head_dim <= 64 ? " of 64" : "");
}

std::string PagedDecode::label() const {
  return "batch " + std::to_string(batch) + ", " + std::to_string(kv_len) + " tokens (" +
         std::to_string(longest) + " at most), heads " + std::to_string(num_q_heads) + "/" +
         std::to_string(num_kv_heads) + " of " + std::to_string(head_dim) + ", window " +
         std::to_string(window);
}

DecodeLoad PagedDecode::load() const {
  const auto seen = [&](std::int64_t keys) { return window > 0 ? std::min(keys, window) : keys; };
  return {.pairs = batch * num_kv_heads,
          .longest = std::max(seen(longest), seen(kv_len)),
          .mean = seen(kv_len),
          .key_bytes = static_cast<std::int64_t>(2 * static_cast<double>(head_dim) * info(kv).input_bytes),
          .head_dim = head_dim,
          .group = num_q_heads / num_kv_heads};
}

std::vector<double> PagedDecode::features() const {
  const auto log = [](std::int64_t v) { return std::log2(static_cast<double>(v)); };
  const DecodeLoad l = load();
  return {log(l.pairs), log(l.mean), log(l.longest) - log(l.mean), log(num_q_heads) - log(num_kv_heads),
          2 * log(head_dim)};
}

KernelTime PagedDecode::time(const Chip& c, Values p) const {
  const DecodeLoad l = load();
  const DecodeSlots slots{static_cast<std::int64_t>(c.sms), resident_decode_blocks(head_dim)};
  const auto bytes_of_key = static_cast<double>(l.key_bytes);
  const double all =
      static_cast<double>(l.pairs * l.mean) * bytes_of_key / (c.bandwidth * std::min(1.0, p[me]));
  // The executor splits for whole sequences.
  DecodeLoad asked = l;
  asked.longest = std::max(longest, kv_len);
  asked.mean = kv_len;
  const DecodeChoice choice = choose_decode(asked, slots, appends && octets_fit(l));
  if (choice.fresh == FreshKernel::octets) {
    const double rounds = static_cast<double>(octet_rounds(l.longest, choice.splits));
    const double joined = choice.splits == 1                       ? 0
                          : choice.splits <= most_clustered_splits ? p[octet_join]
                                                                   : 2.5 * p[octet_join];
    const double worked = rounds * p[octet_round] + joined;
    return {std::max(0.3, p[octet_floor] + worked + all), std::max(0.0, p[octet_floor]), worked, all};
  }
  const double parts = mean_decode_parts(asked, choice.splits, slots.processors);
  const double worked = decode_time(l, choice.splits, parts, {slots.processors, choice.resident},
                                    {.start = p[start],
                                     .key = p[key] / c.clock,
                                     .byte = 1 / (c.bandwidth * p[me]),
                                     .unfilled = unfilled_by(head_dim, choice.resident, p[unfilled]),
                                     .whole = p[whole],
                                     .skew = p[skew],
                                     .join = p[join],
                                     .join_part = p[part_],
                                     .join_cluster = p[cluster_join],
                                     .partial_traffic = p[traffic] * p[me]});
  return {std::max(0.3, p[floor_] + worked), std::max(0.0, p[floor_]), worked, all};
}

}  // namespace inferometer
