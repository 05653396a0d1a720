#include "roofline/work.hpp"

#include <algorithm>
#include <boost/range/iterator_range.hpp>

namespace inferometer {
namespace {

/// Quantised products multiply in their inputs' format; weight-only formats are expanded to it first.
void set_product(Work& work, std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t batch, DType x) {
  work.product = true;
  work.m = m;
  work.n = n;
  work.k = k;
  work.batch = batch;
  work.dtype = x;
}

struct Describe {
  Work& work;

  void operator()(const Linear& o) const { set_product(work, o.tokens, o.out, o.in, 1, o.x); }
  void operator()(const BatchedLinear& o) const { set_product(work, o.tokens, o.out, o.in, o.heads, o.x); }
  void operator()(const ExpertLinear& o) const {
    const std::int64_t experts = std::max<std::int64_t>(1, o.touched);
    set_product(work, (o.rows() + experts - 1) / experts, o.out, o.in, experts, o.x);
  }
  void operator()(const Attention& o) const {
    work.unfused = o.unfused_traffic();
    work.special = o.heads * o.pairs();
    work.dtype = o.dtype;
    double pairs = 0;  // of one new token of each sequence
    for (const AttentionSlice& s : o.slices) {
      if (s.fresh > 0) pairs += static_cast<double>(s.pairs(o.window)) / static_cast<double>(s.fresh);
    }
    const std::int64_t group = o.heads / std::max<std::int64_t>(1, o.kv_heads);
    work.first_rows = pairs / static_cast<double>(std::max<std::int64_t>(1, group * o.pairs()));
  }
  void operator()(const GatedActivation& o) const { work.special = o.tokens * o.width; }
  void operator()(const AllReduce& o) const {
    work.link = size_of(o.tokens * o.width, o.dtype);
    work.ranks = o.ranks;
    work.sums = true;
  }
  void operator()(const AllToAll& o) const {
    work.link = size_of(o.rows() * o.width, o.dtype);
    work.ranks = o.ranks;
  }
  template <class Other>
  void operator()(const Other&) const {}
};

}  // namespace

Work work_of(const AnyOperator& op) {
  Work work{.flops = flops(op)};
  const Operands all = operands(op);
  for (const auto* side : {&all.reads, &all.writes}) {
    for (const Operand& o : *side) {
      (o.use == Use::weight  ? work.weights
       : o.use == Use::state ? work.state
                             : work.activations) += o.compulsory();
      if (o.dtype != DType::bf16) continue;
      if (o.use == Use::weight) work.bf16_weights += o.compulsory();
      if (o.use == Use::activation) {
        work.bf16_operands += o.compulsory();
        ++work.bf16_sides;
      }
    }
  }
  std::visit(Describe{work}, op);
  return work;
}

Bytes kept_weights(const Work& work, const Device& device) {
  return device.widens_bf16 && work.product ? work.weights + work.bf16_weights : work.weights;
}

Bytes persistent_bytes(const Graph& graph, const Device& device) {
  Bytes sum{0};
  for (const auto v : boost::make_iterator_range(vertices(graph))) {
    const Work work = work_of(graph[v].op);
    sum += kept_weights(work, device) + work.state;
  }
  return sum;
}

}  // namespace inferometer
