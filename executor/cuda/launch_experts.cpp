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
                   .by_pair = o.per_assignment,
                   .fp8 = fp8},
                  {.w = *call.w.map, .x = *x, .partial = c.experts.partial, .flags = c.scratch.flags},
                  c.queue);
  return {};
}

Done one_by_one(const NodeContext& c, const ExpertCall& call, In rows) {
  const ExpertLinear& o = call.op;
  const Out to = o.per_assignment ? Out{c.experts.products, o.out} : call.y;
  std::vector<std::int32_t> offsets(static_cast<std::size_t>(o.experts) + 1);
  cudaMemcpyAsync(offsets.data(), c.experts.groups.offsets, offsets.size() * sizeof(std::int32_t),
                  cudaMemcpyDeviceToHost, c.queue.stream);
  if (const Done done = checked(cudaStreamSynchronize(c.queue.stream), "waiting for the routing"); !done)
    return done;
  for (std::size_t e = 0; e + 1 < offsets.size(); ++e) {
    const std::int64_t first = offsets[e], count = offsets[e + 1] - first;
    if (count == 0) continue;
    const auto expert = static_cast<std::int64_t>(e);
    const Out y{to.data + first * to.stride, to.stride};
    const Done done =
        c.products.multiply({.x = rows.data + first * rows.stride,
                             .w = reinterpret_cast<const Bf16*>(call.w.data) + expert * o.out * o.in,
                             .y = y.data,
                             .tokens = count,
                             .in = o.in,
                             .out = o.out,
                             .x_stride = rows.stride,
                             .y_stride = y.stride},
                            c.queue.stream);
    if (!done) return done;
    if (call.bias == nullptr) continue;
    add_bias(
        {.y = y.data, .stride = y.stride, .b = call.bias + expert * o.out, .tokens = count, .width = o.out},
        c.queue);
  }
  if (!o.per_assignment) return {};
  scatter({.x = {to.data, to.stride},
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

void route_and_group(const NodeContext& c, const RouterArguments& a) {
  route(a, c.queue);
  group_by_expert({.ids = a.ids,
                   .rows = static_cast<std::int32_t>(a.tokens * a.top_k),
                   .experts = a.experts,
                   .top_k = a.top_k,
                   .groups = c.experts.groups},
                  c.queue);
}

Done multiply_experts(const NodeContext& c, const ExpertCall& call) {
  const ExpertLinear& o = call.op;
  const bool loop = o.kernel == ExpertKernel::loop;
  const std::int64_t packed = o.x == DType::fp8 ? 2 : 1;  // copies move two e4m3 as one element
  In rows{static_cast<const Bf16*>(call.x), call.x_stride / packed};
  if (!o.per_assignment) {
    const Out gathered{reinterpret_cast<Bf16*>(c.experts.rows), o.in / packed};
    (loop ? gather : gather_for_experts)({.x = rows,
                                          .rows = c.experts.groups.tokens,
                                          .y = gathered,
                                          .count = o.rows(),
                                          .width = gathered.stride},
                                         c.queue);
    rows = {gathered.data, gathered.stride};
  }
  return loop ? one_by_one(c, call, rows) : in_one_launch(c, call, rows);
}

}  // namespace inferometer::cuda
