#include <gtest/gtest.h>

#include <map>

#include "model/graph.hpp"
#include "model/memory.hpp"
#include "model/passes.hpp"
#include "tests/model/networks.hpp"

namespace inferometer {
namespace {

std::map<Role, std::int64_t> roles(const Structure& s) {
  std::map<Role, std::int64_t> count;
  for (const StructureNode& n : s.nodes) ++count[n.role];
  return count;
}

Structure compiled(const Architecture& a, const Plan& plan) {
  Result<Structure> s = compile(a, plan);
  EXPECT_TRUE(s) << (s ? "" : to_string(s.error()));
  return *s;
}

Features prefill(std::int64_t tokens) {
  Features f{.tokens = tokens, .sequences = 1, .logit_rows = 1};
  f.slices = {{tokens, 0}};
  return f;
}

Flops total_flops(const Structure& s, const Features& f) {
  Flops sum{0};
  const Graph g = bind(s, f);
  for (std::size_t v = 0; v < num_vertices(g); ++v) sum += flops(g[v].op);
  return sum;
}

TEST(Compile, LaysDownALlamaLayerAsWritten) {
  const auto count = roles(compiled(tiny_llama(), {}));
  // Per layer: 2 norms, 4 + 3 products, rope, cache write, attention, activation, 2 additions; around them
  // embed, norm, head.
  EXPECT_EQ(count.at(Role::norm), 2 * 2 + 1);
  EXPECT_EQ(count.at(Role::q), 2);
  EXPECT_EQ(count.at(Role::attention), 2);
  EXPECT_EQ(count.at(Role::add), 4);
  EXPECT_EQ(count.at(Role::lm_head), 1);
  EXPECT_FALSE(count.contains(Role::qkv));
}

TEST(Compile, FusionMergesProductsAndKeepsTheWork) {
  Plan fused;
  fused.fusion = {.qkv = true, .gate_up = true, .residual_norm = true};
  const Structure plain = compiled(tiny_llama(), {}), merged = compiled(tiny_llama(), fused);
  const auto count = roles(merged);
  EXPECT_EQ(count.at(Role::qkv), 2);
  EXPECT_EQ(count.at(Role::gate_up), 2);
  EXPECT_FALSE(count.contains(Role::q));
  EXPECT_FALSE(count.contains(Role::add));
  EXPECT_FALSE(count.contains(Role::gather)) << "the last norm has the rows that are wanted, and adds those";
  for (const StructureNode& node : merged.nodes) {
    const auto* norm = std::get_if<AddRmsNorm>(&node.op);
    if (norm == nullptr) continue;
    EXPECT_EQ(norm->gathered, node.layer < 0) << node.name;
    EXPECT_EQ(node.rows, norm->gathered ? Rows::logits : Rows::tokens);
    ASSERT_EQ(node.reads.size(), 2U);
    for (const View& read : node.reads)
      EXPECT_EQ(merged.buffers[static_cast<std::size_t>(read.buffer)].rows, Rows::tokens);
    EXPECT_EQ(merged.buffers[static_cast<std::size_t>(node.writes[1].buffer)].rows, node.rows);
  }
  EXPECT_EQ(total_flops(plain, prefill(7)), total_flops(merged, prefill(7)) + Flops{6 * tiny_llama().hidden});
  EXPECT_EQ(weight_bytes(plain), weight_bytes(merged));
}

TEST(Compile, ResidualsJoinTheProductsBeforeThem) {
  Plan plan;
  plan.fusion.residual_product = true;
  for (const bool norms : {false, true}) {
    plan.fusion.residual_norm = norms;
    for (const DType inputs : {DType::bf16, DType::int8}) {
      Plan of = plan;
      if (inputs == DType::int8) {
        of.precision.weights = Selected<DType>{inputs};
        of.precision.inputs = InputFormat::int8;
      }
      const Structure joined = compiled(tiny_llama(), of);
      EXPECT_FALSE(roles(joined).contains(Role::add)) << "nothing is left for norms to add";
      EXPECT_EQ(roles(joined).at(Role::gather), 1) << "nor for the last to gather";
      of.fusion.residual_product = false;
      // Norms add the one row that is wanted of the last sum, products all seven.
      EXPECT_EQ(total_flops(joined, prefill(7)), total_flops(compiled(tiny_llama(), of), prefill(7)) +
                                                     Flops{norms ? 6 * tiny_llama().hidden : 0});
      std::int32_t before = 0;  // where the residual of a block comes from: the embedding first
      for (const StructureNode& node : joined.nodes) {
        if (node.role != Role::o && node.role != Role::down) continue;
        EXPECT_TRUE(std::get<Linear>(node.op).residual);
        // The order of operands(): inputs, their scales, what is added.
        EXPECT_EQ(node.reads.size(), inputs == DType::int8 ? 3U : 2U);
        EXPECT_EQ(node.reads.back().buffer, before) << node.name;
        before = node.writes[0].buffer;
      }
    }
  }
  plan.parallel.tensor = 2;
  const Result<Structure> s = compile(tiny_llama(), plan);
  ASSERT_FALSE(s);
  EXPECT_NE(to_string(s.error()).find("fusion.residual_product"), std::string::npos);
}

TEST(Compile, ResidualsAreAddedApartFromInt4Products) {
  Plan plan;
  plan.precision.weights = Selected<DType>{DType::int4};
  const Structure apart = compiled(tiny_llama(), plan);
  plan.fusion.residual_product = true;
  EXPECT_EQ(roles(compiled(tiny_llama(), plan)), roles(apart));
}

/// Of a mixture, attention's alone: experts are combined, not multiplied, last. Shared experts take what the
/// others give; that of the block is added to both.
TEST(Compile, ResidualsOfExpertsAreAddedApart) {
  Plan plan;
  plan.fusion.residual_product = true;
  EXPECT_EQ(roles(compiled(tiny_mixtral(), plan)).at(Role::add), 2);
  const Structure joined = compiled(tiny_deepseek(), plan), apart = compiled(tiny_deepseek(), {});
  EXPECT_EQ(total_flops(joined, prefill(7)), total_flops(apart, prefill(7)));
  EXPECT_EQ(roles(joined).at(Role::add), 1);
  for (const StructureNode& node : joined.nodes) {
    if (!std::holds_alternative<Linear>(node.op)) continue;
    EXPECT_LE(node.reads.size(), 2U) << node.name;
  }
}

/// The order of operands(): inputs, what experts take them, scales.
TEST(Compile, ScalesOfInputsLieBehindTheExpertsThatTakeThem) {
  Plan plan;
  plan.precision.weights = Selected<DType>{DType::int8};
  plan.precision.inputs = InputFormat::int8;
  const Structure s = compiled(tiny_mixtral(), plan);
  const auto dtype = [&](const View& v) { return s.buffers[static_cast<std::size_t>(v.buffer)].dtype; };
  std::int64_t seen = 0;
  for (const StructureNode& node : s.nodes) {
    if (!std::holds_alternative<ExpertLinear>(node.op)) continue;
    ASSERT_EQ(node.reads.size(), 3U);
    EXPECT_EQ(dtype(node.reads[0]), DType::int8);
    EXPECT_EQ(dtype(node.reads[1]), DType::i32);
    EXPECT_EQ(dtype(node.reads[2]), DType::f32);
    ++seen;
  }
  EXPECT_EQ(seen, 6) << "gate, up and down of two layers";
}

/// Behind the last attention of a prompt of 7 tokens one row is left.
TEST(Compile, EarlyGatheringLeavesTheLastLayerTheRowsThatAreWanted) {
  for (const Plan::Fusion& fusion : {Plan::Fusion{}, Plan::Fusion{.gate_up = true, .residual_norm = true}}) {
    Plan late, early;
    late.fusion = early.fusion = fusion;
    early.fusion.early_gather = true;
    for (Architecture a : {tiny_llama(), tiny_deepseek()}) {
      a.moe.reset();
      const Structure all = compiled(a, late), wanted = compiled(a, early);
      EXPECT_EQ(roles(wanted).at(Role::gather), 2) << "of attention and of the residual";
      // One gathering more, and where norms add, the one that was inside the last.
      EXPECT_EQ(wanted.nodes.size(), all.nodes.size() + (fusion.residual_norm ? 2 : 1));
      EXPECT_EQ(weight_bytes(wanted), weight_bytes(all));
      EXPECT_EQ(total_flops(wanted, prefill(1)), total_flops(all, prefill(1)));
      // 6 tokens less of the output projection, three products and what adds, norms and gates their results.
      std::int64_t saved = 0;
      const Graph seven = bind(all, prefill(7)), one = bind(all, prefill(1));
      bool behind = false;
      for (std::size_t v = 0; v < num_vertices(seven); ++v) {
        const StructureNode& node = all.nodes[v];
        if (behind) saved += flops(seven[v].op).value - flops(one[v].op).value;
        behind = node.layer == 1 && (behind || node.role == Role::attention);
      }
      EXPECT_EQ(total_flops(all, prefill(7)).value - total_flops(wanted, prefill(7)).value, saved);
    }
  }
}

TEST(Compile, EarlyGatheringOfExpertsIsRefused) {
  Plan plan;
  plan.fusion.early_gather = true;
  const Result<Structure> s = compile(tiny_mixtral(), plan);
  ASSERT_FALSE(s);
  EXPECT_EQ(s.error()[0].message,
            "fusion.early_gather: the last layer's experts take the rows of all tokens");
}

TEST(Compile, FusedProductsOfDifferentFormatsAreRefused) {
  Plan plan;
  plan.fusion.qkv = true;
  plan.precision.weights.rules = {{.role = "v", .value = DType::int8}};
  const Result<Structure> s = compile(tiny_llama(), plan);
  ASSERT_FALSE(s);
  EXPECT_EQ(s.error()[0].message,
            "fusion.qkv: the weights of \"layers.0.attention.q\" and its neighbours have different dtypes "
            "and cannot be one "
            "product");
}

TEST(Compile, QuantisesEachInputOnce) {
  Plan plan;
  plan.precision.weights = DType::int8;
  plan.precision.inputs = InputFormat::int8;
  const Structure s = compiled(tiny_llama(), plan);
  EXPECT_EQ(roles(s).at(Role::quantize), 2 * 4 + 1);  // qkv, o, gate and up, down; the head
  for (const StructureNode& n : s.nodes) {
    if (const auto* linear = std::get_if<Linear>(&n.op)) {
      EXPECT_EQ(linear->x, DType::int8) << n.name;
      EXPECT_EQ(n.reads.size(), 2U) << n.name;
    }
  }
}

TEST(Compile, QuantisedInputsNeedQuantisedWeights) {
  Plan plan;
  plan.precision.inputs = InputFormat::int8;
  const Result<Structure> s = compile(tiny_llama(), plan);
  ASSERT_FALSE(s);
  EXPECT_EQ(s.error()[0].message,
            "precision.inputs: \"layers.0.attention.q\" takes int8 inputs but its weights are bf16; set "
            "precision.weights to "
            "int8 there, or its inputs to as_is");
}

TEST(Compile, SelectorsReachLayersAndRoles) {
  Plan plan;
  plan.precision.weights.rules = {{.first = 1, .last = 1, .role = "*", .value = DType::int8},
                                  {.role = "lm_head", .value = DType::f32}};
  const Structure s = compiled(tiny_llama(), plan);
  for (const StructureNode& n : s.nodes) {
    const auto* linear = std::get_if<Linear>(&n.op);
    if (!linear) continue;
    EXPECT_EQ(linear->w.dtype, n.layer == 1              ? DType::int8
                               : n.role == Role::lm_head ? DType::f32
                                                         : DType::bf16)
        << n.name;
  }
}

TEST(Compile, TensorParallelSharesEachLayerAndSumsAfterIt) {
  Plan plan;
  plan.parallel.tensor = 2;
  const Structure one = compiled(tiny_llama(), {}), half = compiled(tiny_llama(), plan);
  EXPECT_EQ(roles(half).at(Role::all_reduce), 4);
  for (const StructureNode& n : half.nodes) {
    if (n.role == Role::q) {
      EXPECT_EQ(std::get<Linear>(n.op).out, 4 * 8 / 2);
    }
    if (n.role == Role::down) {
      EXPECT_EQ(std::get<Linear>(n.op).in, 48 / 2);
    }
  }
  EXPECT_LT(weight_bytes(half), weight_bytes(one));
  plan.parallel.tensor = 3;
  ASSERT_FALSE(compile(tiny_llama(), plan));
}

TEST(Compile, EdgesPointForwardAndEveryNodeIsReached) {
  for (const Architecture& a : {tiny_llama(), tiny_deepseek(), tiny_mixtral()}) {
    for (const bool fused : {false, true}) {
      Plan plan;
      plan.fusion = {.qkv = fused, .gate_up = fused, .residual_norm = fused};
      const Structure s = compiled(a, plan);
      std::vector<bool> reached(s.nodes.size(), false);
      for (const StructureEdge& e : s.edges) {
        EXPECT_LT(e.from, e.to);
        reached[static_cast<std::size_t>(e.to)] = true;
      }
      for (std::size_t i = 1; i < s.nodes.size(); ++i) EXPECT_TRUE(reached[i]) << s.nodes[i].name;
    }
  }
}

TEST(Compile, ViewsLieInsideTheirBuffersAndMatchTheirOperands) {
  for (const Architecture& a : {tiny_llama(), tiny_deepseek(), tiny_mixtral()}) {
    Plan plan;
    plan.fusion = {.qkv = true, .gate_up = true, .residual_norm = true};
    const Structure s = compiled(a, plan);
    const Features f = prefill(5);
    for (const StructureNode& n : s.nodes) {
      for (const auto* views : {&n.reads, &n.writes}) {
        for (const View& v : *views) {
          const std::int64_t run = v.columns / v.groups;
          const std::int64_t stride = v.stride == 0 ? run : v.stride;
          EXPECT_LE(v.offset + (v.groups - 1) * stride + run,
                    s.buffers[static_cast<std::size_t>(v.buffer)].columns)
              << n.name;
        }
      }
      const Operands all = operands(bind(n, s, f));
      std::vector<const Operand*> written;
      for (const Operand& o : all.writes) {
        if (o.use != Use::state) written.push_back(&o);
      }
      ASSERT_EQ(written.size(), n.writes.size()) << n.name;
      for (std::size_t i = 0; i < written.size(); ++i) {
        const Buffer& b = s.buffers[static_cast<std::size_t>(n.writes[i].buffer)];
        EXPECT_EQ(row_count(b.rows, s, f) * n.writes[i].columns, written[i]->shape.elements()) << n.name;
        EXPECT_EQ(b.dtype, written[i]->dtype) << n.name;
      }
    }
  }
}

TEST(Compile, CudnnReadsKeysAndValuesWhereTheyWereComputed) {
  for (const bool fused : {false, true}) {
    Plan plan;
    plan.fusion.qkv = fused;
    plan.kernels.attention = AttentionKernel::cudnn;
    const Structure s = compiled(tiny_llama(), plan);
    const StructureNode* written = nullptr;
    for (const StructureNode& n : s.nodes) {
      if (n.role == Role::kv_write) written = &n;
      if (n.role != Role::attention) continue;
      ASSERT_EQ(n.reads.size(), 3U);
      EXPECT_EQ(n.reads[1], written->reads[0]);
      EXPECT_EQ(n.reads[2], written->reads[1]);
      EXPECT_EQ(n.reads[0].buffer == n.reads[1].buffer, fused);
    }
  }
  for (const StructureNode& n : compiled(tiny_llama(), {}).nodes) {
    if (n.role == Role::attention) {
      EXPECT_EQ(n.reads.size(), 1U) << "others read the cache";
    }
  }
}

void expect_apart(const Plan& how) {
  const Structure s = compiled(tiny_mixtral(), how);
  const Features f = prefill(5);
  const MemoryPlan plan = plan_memory(s, f);
  Bytes all{0};
  for (const Buffer& b : s.buffers) all += size_of(row_count(b.rows, s, f) * b.columns, b.dtype);
  EXPECT_LT(plan.total, all);
  // Within one node nothing that is read or written may share memory with another of its buffers.
  for (const StructureNode& n : s.nodes) {
    std::vector<View> views = n.reads;
    views.insert(views.end(), n.writes.begin(), n.writes.end());
    for (const View& a : views) {
      for (const View& b : views) {
        if (a.buffer >= b.buffer) continue;
        const auto end = [&](const View& v) {
          const Buffer& buffer = s.buffers[static_cast<std::size_t>(v.buffer)];
          return plan.offset[static_cast<std::size_t>(v.buffer)] +
                 size_of(row_count(buffer.rows, s, f) * buffer.columns, buffer.dtype);
        };
        const Bytes a0 = plan.offset[static_cast<std::size_t>(a.buffer)],
                    b0 = plan.offset[static_cast<std::size_t>(b.buffer)];
        EXPECT_TRUE(end(a) <= b0 || end(b) <= a0) << n.name;
      }
    }
  }
}

TEST(Memory, BuffersThatLiveTogetherDoNotOverlap) {
  expect_apart({});
  Plan cudnn;
  cudnn.kernels.attention = AttentionKernel::cudnn;
  expect_apart(cudnn);
}

TEST(Memory, CountsWholeBlocksOfCache) {
  const Structure s = compiled(tiny_llama(), {});
  // 2 layers, 2 kv heads of 8, keys and values, 2 B: 128 B a token; 17 tokens are two blocks of 16.
  EXPECT_EQ(kv_bytes(s, {}, 3, 17), Bytes{3 * 32 * 128});
}

}  // namespace
}  // namespace inferometer
