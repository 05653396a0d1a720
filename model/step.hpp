#pragma once
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "model/copy_beside.hpp"
#include "model/operators/attention.hpp"

namespace inferometer {

/// One sequence's part of a step.
struct Slice {
  std::int64_t sequence = 0;         ///< identity, stable from step to step
  std::vector<std::int32_t> tokens;  ///< the new token ids (may be empty when only a prediction is wanted)
  std::int64_t fresh = 0;            ///< number of new tokens, tokens.size() when those are given
  std::int64_t cached = 0;  ///< tokens already in the cache; the new ones stand at cached, cached + 1, ...
  std::vector<std::int32_t>
      block_table;              ///< physical block of each kv.block_tokens tokens; blocks may be shared
  std::int64_t logit_rows = 1;  ///< the last so many new tokens need logits
};

/// State operations that come before the pass, in order.
struct StateOperation {
  enum class Kind : std::uint8_t { copy_block, free_sequence } kind = Kind::copy_block;
  std::int32_t from = 0, to = 0;  ///< blocks (copy_block)
  std::int64_t sequence = 0;      ///< (free_sequence)
};

/// One forward pass of a batch. The predictor reads features(step), the executor all of it.
struct Step {
  std::vector<Slice> slices;
  std::vector<StateOperation> operations;
  CopyBeside copy_beside{};
};

/// What a step's time depends on.
struct Features {
  std::int64_t tokens = 0;  ///< new tokens of all slices
  std::int64_t sequences = 0;
  std::int64_t logit_rows = 0;
  std::vector<AttentionSlice> slices;
  CopyBeside copy_beside{};
  /// New tokens of all replicas of attention that share the experts, these included; 0: these alone.
  std::int64_t group_tokens = 0;
};

/// Whether each sequence has one new token.
inline bool decodes(const Features& f) {
  return std::all_of(f.slices.begin(), f.slices.end(), [](const AttentionSlice& s) { return s.fresh == 1; });
}

/// Sequences that are attended together.
struct AttendedLengths {
  std::int64_t count = 0, fresh = 0, all = 0;  ///< sequences, their new tokens, those and the cached ones
  std::int64_t longest = 0;                    ///< new and cached tokens of the longest
  void add(const AttentionSlice& s) {
    ++count;
    fresh += s.fresh;
    all += s.fresh + s.cached;
    longest = std::max(longest, s.fresh + s.cached);
  }
};
/// Those of one new token, and the others.
struct Attended {
  AttendedLengths single, prompts;
  Attended() = default;
  explicit Attended(std::span<const AttentionSlice> slices) {
    for (const AttentionSlice& s : slices) (s.fresh == 1 ? single : prompts).add(s);
  }
};

/// What a step's time depends on where sequences that differ count as many of their mean length and the
/// longest: a batch that changes a little changes these a little.
struct StepTotals {
  Attended attended;
  std::int64_t logit_rows = 0;
  std::int64_t group_tokens = 0;  ///< as Features has it

  std::int64_t tokens() const { return attended.single.fresh + attended.prompts.fresh; }
  std::int64_t sequences() const { return attended.single.count + attended.prompts.count; }
};

inline StepTotals totals_of(const Features& f) {
  return {.attended = Attended(f.slices), .logit_rows = f.logit_rows, .group_tokens = f.group_tokens};
}
/// A step with these totals: the longest of the single tokens' sequences, and the others equal, as far as
/// whole tokens allow.
inline Features alike(const StepTotals& totals) {
  Features f{.tokens = totals.tokens(), .sequences = totals.sequences(), .logit_rows = totals.logit_rows};
  f.group_tokens = totals.group_tokens;
  const auto add_equal = [&](std::int64_t count, std::int64_t fresh, std::int64_t cached) {
    for (std::int64_t i = 0; i < count; ++i) {
      const auto part = [&](std::int64_t sum) { return sum * (i + 1) / count - sum * i / count; };
      f.slices.push_back({part(fresh), part(cached)});
    }
  };
  AttendedLengths single = totals.attended.single;
  if (single.count > 0 && single.longest * single.count > single.all) {
    f.slices.push_back({1, single.longest - 1});
    single = {.count = single.count - 1, .fresh = single.fresh - 1, .all = single.all - single.longest};
  }
  add_equal(single.count, single.fresh, single.all - single.fresh);
  const AttendedLengths& prompts = totals.attended.prompts;
  add_equal(prompts.count, prompts.fresh, prompts.all - prompts.fresh);
  return f;
}

/// A batch of equal sequences that `ranks` replicas of attention divide among them, as the fullest has it.
inline Features fullest_share(Features all, std::int64_t ranks) {
  if (ranks == 1) return all;
  all.group_tokens = all.tokens;
  all.sequences = (all.sequences + ranks - 1) / ranks;
  all.logit_rows = (all.logit_rows + ranks - 1) / ranks;
  all.slices.resize(static_cast<std::size_t>(all.sequences));
  all.tokens = 0;
  for (const AttentionSlice& s : all.slices) all.tokens += s.fresh;
  return all;
}

inline Features features(const Step& step) {
  Features f;
  f.sequences = static_cast<std::int64_t>(step.slices.size());
  f.copy_beside = step.copy_beside;
  for (const Slice& s : step.slices) {
    f.tokens += s.fresh;
    f.logit_rows += s.logit_rows;
    f.slices.push_back({s.fresh, s.cached});
  }
  return f;
}

}  // namespace inferometer
