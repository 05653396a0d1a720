#include "executor/cuda/launch_attention.hpp"

#include <algorithm>

namespace inferometer::cuda {
namespace {

KvWriteArguments append_of(const NodeViews& v, const StructureNode& of, std::int64_t tokens) {
  const auto from = [&](std::size_t i) {
    return In{reinterpret_cast<const Bf16*>(v.address(of.reads[i])), v.buffer(of.reads[i]).columns};
  };
  return {.k = from(0),
          .v = from(1),
          .cache = v.c.state.layer(of.layer),
          .slots = v.c.inputs.slots(),
          .tokens = tokens};
}

DecodeSplit split_of(const NodeContext& c) {
  return {.splits = c.decode.splits,
          .resident = c.decode.resident,
          .partial = c.scratch.decode,
          .tickets = c.scratch.tickets,
          .parts = c.decode.parts > 0 ? c.inputs.parts() : nullptr,
          .part_count = c.decode.parts};
}

AttentionArguments arguments_of(const NodeViews& v, const Attention& o) {
  return {.q = v.in(0),
          .y = v.out(0),
          .cache = v.c.state.layer(v.node.layer),
          .sequences = v.c.inputs.sequences(),
          .blocks = v.c.inputs.tables(),
          .heads = static_cast<std::int32_t>(o.heads),
          .scale = static_cast<float>(o.scale),
          .window = static_cast<std::int32_t>(o.window),
          .sinks = o.sinks ? v.floats(0) : nullptr};
}

/// Decode attention that rotates each sequence's one new token and appends it to the cache.
Done attend_fresh(const NodeViews& v, const RopeArguments& turn) {
  const KvWriteArguments append = append_of(v, v.joined.front(), turn.tokens);
  const NodeViews attention{v.c, v.joined.back(), {}};
  const auto& op = std::get<Attention>(v.joined.back().op);
  require(v.c.decode.fresh != FreshKernel::octets || attention_in_octets(append.cache, op.heads),
          "octets of heads that have them");
  (v.c.decode.fresh == FreshKernel::octets ? attention_octets : attention_decode_fresh)(
      arguments_of(attention, op),
      {.k = append.k,
       .v = append.v,
       .table = turn.table,
       .rotary = static_cast<std::int32_t>(turn.rotary),
       .interleaved = turn.interleaved},
      v.c.inputs.decoding(), split_of(v.c), v.c.queue);
  return {};
}

}  // namespace

Done turn(const NodeViews& v, const RopeApply& o) {
  require(v.node.reads[0] == v.node.writes[0] && v.node.reads[1] == v.node.writes[1], "rope in place");
  const RopeArguments arguments{.q = v.out(0),
                                .k = v.out(1),
                                .table = v.c.rope,
                                .positions = v.c.inputs.positions(),
                                .tokens = o.tokens,
                                .q_heads = o.q_heads,
                                .k_heads = o.k_heads,
                                .rotary = o.rotary,
                                .q_head_stride = v.step(v.node.writes[0]),
                                .k_head_stride = v.step(v.node.writes[1]),
                                .interleaved = o.interleaved};
  if (!v.joined.empty() && std::holds_alternative<Attention>(v.joined.back().op))
    return attend_fresh(v, arguments);
  if (!v.joined.empty()) {
    rope_kv_write(arguments, append_of(v, v.joined.front(), o.tokens), v.c.queue);
  } else {
    rope(arguments, v.c.queue);
  }
  return {};
}

Done write_cache(const NodeViews& v, const KvWrite& o) {
  kv_write(append_of(v, v.node, o.tokens), v.c.queue);
  return {};
}

Done attend(const NodeViews& v, const Attention& o) {
  const AttentionArguments a = arguments_of(v, o);
  const std::span<const Sequence> sequences = v.c.inputs.sent(), prompts = v.c.inputs.prompts();
  if (o.kernel == AttentionKernel::naive) {
    for (const Sequence& s : sequences) attention_naive(a, s, v.c.scratch.scores, v.c.queue);
    return {};
  }
  if (!prompts.empty()) {
    const PromptArguments of_prompts{.q = a.q,
                                     .k = v.in(1),
                                     .v = v.in(2),
                                     .y = a.y,
                                     .heads = a.heads,
                                     .kv_heads = a.cache.kv_heads,
                                     .head_dim = a.cache.head_dim,
                                     .window = a.window,
                                     .scale = a.scale};
    if (const Done done = v.c.prompts->attend(of_prompts, prompts, v.c.queue.stream); !done) return done;
  }
  // Queries of many rows against a cache in fp8 have no tiled kernel.
  const bool tiled = v.c.gpu.hopper() && attention_tiles(a.cache);
  const std::int64_t decoding = tiled ? v.c.inputs.decoding() : 0;
  if (decoding > 0) {
    std::int64_t rows = 0;
    for (const Sequence& s : sequences.first(static_cast<std::size_t>(decoding)))
      rows = std::max<std::int64_t>(rows, s.fresh * o.heads / o.kv_heads);
    attention_decode(a, decoding, rows, split_of(v.c), v.c.queue);
  }
  if (tiled && a.cache.element == CacheElement::bf16) {
    if (v.c.inputs.tile_count() > 0)
      attention_prefill(a, v.c.inputs.tiles(), v.c.inputs.tile_count(), v.c.queue);
    return {};
  }
  const auto first = static_cast<std::size_t>(decoding);
  const auto rest = sequences.subspan(first, sequences.size() - prompts.size() - first);
  if (rest.empty()) return {};
  AttentionArguments portable = a;
  portable.sequences += decoding;
  std::int32_t longest = 0;
  for (const Sequence& s : rest) longest = std::max(longest, s.fresh);
  attention_portable(portable, static_cast<std::int64_t>(rest.size()), longest, v.c.queue);
  return {};
}

}  // namespace inferometer::cuda
