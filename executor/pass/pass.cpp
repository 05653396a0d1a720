#include "executor/pass/pass.hpp"

#include <algorithm>

namespace inferometer {
namespace {

Errors check(const Slice& slice, std::size_t index, const CacheShape& cache, std::int64_t vocab) {
  Errors errors;
  const auto refuse = [&](std::string message) {
    errors.push_back({"slice " + std::to_string(index) + ": " + std::move(message)});
  };
  const std::int64_t block = cache.block_tokens, most = cache.blocks * block;
  if (slice.cached < 0 || slice.fresh < 0 || slice.cached > most || slice.fresh > most) {
    refuse("has " + std::to_string(slice.fresh) + " new tokens behind " + std::to_string(slice.cached) +
           "; the cache holds " + std::to_string(most));
    return errors;
  }
  const std::int64_t needed = slice.cached + slice.fresh;
  if (static_cast<std::int64_t>(slice.tokens.size()) != slice.fresh)
    refuse("has " + std::to_string(slice.tokens.size()) + " token ids for " + std::to_string(slice.fresh) +
           " new tokens");
  if (slice.logit_rows < 0 || slice.logit_rows > slice.fresh)
    refuse("wants logits of " + std::to_string(slice.logit_rows) + " of " + std::to_string(slice.fresh) +
           " new tokens");
  if (static_cast<std::int64_t>(slice.block_table.size()) * block < needed)
    refuse("its block table holds " + std::to_string(slice.block_table.size()) + " blocks of " +
           std::to_string(block) + " for " + std::to_string(needed) + " tokens");
  const auto outside = [](std::int64_t limit) {
    return [limit](std::int32_t i) { return i < 0 || i >= limit; };
  };
  if (std::any_of(slice.tokens.begin(), slice.tokens.end(), outside(vocab)))
    refuse("a token id is outside the vocabulary of " + std::to_string(vocab));
  if (std::any_of(slice.block_table.begin(), slice.block_table.end(), outside(cache.blocks)))
    refuse("a block is outside the cache of " + std::to_string(cache.blocks) + " blocks");
  return errors;
}

}  // namespace

std::int64_t StepInputs::last_position() const {
  return positions.empty() ? 0 : *std::max_element(positions.begin(), positions.end());
}

Result<StepInputs> step_inputs(const Step& step, const CacheShape& cache, std::int64_t vocab) {
  StepInputs inputs;
  Errors errors;
  for (const StateOperation& o : step.operations) {
    const auto outside = [&](std::int32_t block) { return block < 0 || block >= cache.blocks; };
    if (o.kind == StateOperation::Kind::copy_block && (outside(o.from) || outside(o.to)))
      errors.push_back({"copy_block: outside the cache of " + std::to_string(cache.blocks) + " blocks"});
  }
  for (std::size_t s = 0; s < step.slices.size(); ++s) {
    Errors more = check(step.slices[s], s, cache, vocab);
    errors.insert(errors.end(), more.begin(), more.end());
  }
  if (!errors.empty()) return failure(std::move(errors));
  for (const Slice& slice : step.slices) {
    inputs.sequences.push_back({slice.fresh, slice.cached, slice.block_table.data()});
    for (std::int64_t f = 0; f < slice.fresh; ++f) {
      const std::int64_t position = slice.cached + f, block = position / cache.block_tokens;
      inputs.tokens.push_back(slice.tokens[static_cast<std::size_t>(f)]);
      inputs.positions.push_back(static_cast<std::int32_t>(position));
      inputs.slots.push_back(static_cast<std::int32_t>(slice.block_table[static_cast<std::size_t>(block)] *
                                                           cache.block_tokens +
                                                       position % cache.block_tokens));
      if (f >= slice.fresh - slice.logit_rows)
        inputs.logit_rows.push_back(static_cast<std::int32_t>(inputs.tokens.size() - 1));
    }
  }
  return inputs;
}

Pass pass_of(const Structure& structure, const Step& step, StepInputs inputs) {
  Pass pass{
      .step = &step, .inputs = std::move(inputs), .features = features(step), .operators = {}, .memory = {}};
  for (const StructureNode& node : structure.nodes)
    pass.operators.push_back(bind(node, structure, pass.features));
  pass.memory = plan_memory(structure, pass.features);
  return pass;
}

}  // namespace inferometer
