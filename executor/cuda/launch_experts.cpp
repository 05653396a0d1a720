#include "executor/cuda/launch_experts.hpp"

#include <vector>

#include "executor/cuda/tensor_map.hpp"

namespace inferometer::cuda {
namespace {

Done in_one_launch(const NodeContext& c, const ExpertCall& call, In rows) {
  const ExpertLinear& o = call.op;
  const bool fp8 = o.x == DType::fp8;
  const std::int32_t tile = expert_tile(o.tokens, o.top_k, o.experts);
  const Result<CUtensorMap> x = tensor_map(
      {.data = rows.data, .rows = o.rows(), .columns = rows.stride, .stride = rows.stride, .box_rows = tile});
  if (!x) return failure(x.error());
  product_experts({.groups = c.experts.groups,
                   .y = call.y,
                   .x_scale = call.x_scale,
                   .w_scales = fp8 ? reinterpret_cast<const float*>(call.w.scales) : nullptr,
                   .bias = call.bias,
                   .experts = static_cast<std::int32_t>(o.experts),
                   .in = static_cast<std::int32_t>(o.in),
                   .out = static_cast<std::int32_t>(o.out),
                   .tile = tile,
                   .fp8 = fp8},
                  {.w = *call.w.map, .x = *x, .partial = c.experts.partial, .flags = c.scratch.flags},
                  c.queue);
  return {};
}

Done one_by_one(const NodeContext& c, const ExpertCall& call, In rows) {
  const ExpertLinear& o = call.op;
  std::vector<std::int32_t> offsets(static_cast<std::size_t>(o.experts) + 1);
  cudaMemcpyAsync(offsets.data(), c.experts.groups.offsets, offsets.size() * sizeof(std::int32_t),
                  cudaMemcpyDeviceToHost, c.queue.stream);
  if (const Done done = checked(cudaStreamSynchronize(c.queue.stream), "waiting for the routing"); !done)
    return done;
  for (std::size_t e = 0; e + 1 < offsets.size(); ++e) {
    const std::int64_t first = offsets[e], count = offsets[e + 1] - first;
    if (count == 0) continue;
    const auto expert = static_cast<std::int64_t>(e);
    Bf16* y = c.experts.products + first * o.out;
    const Done done =
        c.products.multiply({.x = rows.data + first * o.in,
                             .w = reinterpret_cast<const Bf16*>(call.w.data) + expert * o.out * o.in,
                             .y = y,
                             .tokens = count,
                             .in = o.in,
                             .out = o.out,
                             .x_stride = o.in,
                             .y_stride = o.out},
                            c.queue.stream);
    if (!done) return done;
    if (call.bias == nullptr) continue;
    add_bias({.y = y, .stride = o.out, .b = call.bias + expert * o.out, .tokens = count, .width = o.out},
             c.queue);
  }
  scatter({.x = {c.experts.products, o.out},
           .rows = c.experts.groups.pairs,
           .y = call.y,
           .count = o.rows(),
           .width = o.out},
          c.queue);
  return {};
}

}  // namespace

RouterArguments routing_rule(const Router& o) {
  return {.tokens = o.tokens,
          .experts = static_cast<std::int32_t>(o.experts),
          .top_k = static_cast<std::int32_t>(o.top_k),
          .softmax = o.score == RouterScore::softmax,
          .softmax_after_top_k = o.softmax_after_top_k,
          .normalize = o.normalize,
          .groups = static_cast<std::int32_t>(o.groups),
          .top_groups = static_cast<std::int32_t>(o.top_groups),
          .ranked_by = o.group_rank == GroupRank::none       ? 0
                       : o.group_rank == GroupRank::best_two ? 2
                                                             : 1,
          .scaling = static_cast<float>(o.scaling)};
}

/// x goes to the order of the experts first: rows that lie together are then one expert's.
Done multiply_experts(const NodeContext& c, const ExpertCall& call) {
  const ExpertLinear& o = call.op;
  const std::int64_t packed = o.x == DType::fp8 ? 2 : 1;  // copies move two e4m3 as one element
  const ExpertGroups& groups = c.experts.groups;
  const Out rows{reinterpret_cast<Bf16*>(c.experts.rows), o.in / packed};
  gather({.x = {static_cast<const Bf16*>(call.x), call.x_stride / packed},
          .rows = o.per_assignment ? groups.pairs : groups.tokens,
          .y = rows,
          .count = o.rows(),
          .width = o.in / packed},
         c.queue);
  const In gathered{rows.data, rows.stride};
  return o.kernel == ExpertKernel::loop ? one_by_one(c, call, gathered) : in_one_launch(c, call, gathered);
}

}  // namespace inferometer::cuda
