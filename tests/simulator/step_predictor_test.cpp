#include "simulator/step_predictor.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>

#include "model/hf_config.hpp"
#include "model/seeded.hpp"
#include "model/settings.hpp"
#include "tests/model/networks.hpp"
#include "tests/simulator/chosen_gpu.hpp"

namespace inferometer {
namespace {

Architecture family(const std::string& name) {
  std::ifstream file(std::string{INFEROMETER_FIXTURES} + "/logits/" + name + "/config.json");
  std::ostringstream text;
  text << file.rdbuf();
  return *read_hf_config(text.str(), name, name);
}

Case on_a_gpu(Plan::Launch launch, bool fused, Architecture model = tiny_llama()) {
  Case c;
  c.models["model"] = std::move(model);
  c.plan.launch = std::move(launch);
  c.plan.fusion = {.qkv = fused,
                   .gate_up = fused,
                   .residual_norm = fused,
                   .rope_kv = fused,
                   .rope_attention = fused,
                   .norm_product = fused,
                   .gated_epilogue = fused};
  c.cluster.device = chosen_gpu(Seconds{5e-6});  // about as long as kernels: which one waits differs
  c.engine = {.per_step = Seconds{7e-6}, .per_sequence = Seconds{0.3e-6}};
  return c;
}

Features drawn(std::uint64_t seed) {
  const auto draw = [&](std::uint64_t n) { return static_cast<std::int64_t>((seed = mix(seed)) % n); };
  Features f;
  f.sequences = 1 + draw(40);
  const bool decode = draw(2) == 0;
  for (std::int64_t i = 0; i < f.sequences; ++i) {
    f.slices.push_back({decode || draw(3) > 0 ? 1 : 1 + draw(300), draw(5000)});
    f.tokens += f.slices.back().fresh;
  }
  f.logit_rows = f.sequences;
  return f;
}

TEST(StepPredictor, EqualsTheEventRunToTheNanosecond) {
  for (const Plan::Launch& launch :
       {Plan::Launch{}, Plan::Launch{.graphs = true}, Plan::Launch{.graphs = true, .batch_buckets = {8, 32}},
        Plan::Launch{.graphs = true, .overlap = true}, Plan::Launch{.overlap = true}}) {
    for (const auto& [fused, early, weights] : {std::tuple{false, false, DType::bf16},
                                                {true, false, DType::bf16},
                                                {true, true, DType::bf16},
                                                {true, true, DType::int4}}) {
      Architecture model = tiny_llama();
      model.hidden = model.intermediate = 64;  // what norms join int4 products at
      model.heads = 8;
      Case c = on_a_gpu(launch, fused, model);
      if (early) {
        c.plan.precision.weights = weights;
        c.plan.fusion.early_gather = c.plan.fusion.norm_epilogue = true;
      }
      const Structure structure = *compile(c.model(), c.plan);
      const bool from_two = std::any_of(structure.nodes.begin(), structure.nodes.end(),
                                        [](const StructureNode& n) { return n.joins_from == 2; });
      ASSERT_EQ(from_two, early);
      const Calibration calibration;
      StepPredictor predictor(c, structure, calibration);
      for (std::uint64_t seed = 0; seed < 60; ++seed) {
        const Features f = drawn(mix(seed));
        EXPECT_EQ(predictor.time(f), predict(c, structure, f, calibration).timeline.end) << seed;
      }
    }
  }
}

/// With matrices that keep arithmetic at work.
Architecture wide(Architecture model) {
  model.hidden = 1024;
  model.intermediate = 4096;
  if (model.moe) model.moe->intermediate = 4096;
  return model;
}

Calibration with_limit(PowerLimit limit) {
  Calibration limited;
  limited.kernels = std::make_shared<StepModels>(std::map<OperatorAndVariant, FittedModel>{},
                                                 std::map<LaunchMode, Gaps>{}, limit);
  return limited;
}

TEST(StepPredictor, EqualsTheEventRunAtTheClocksOfALimitOfPower) {
  const Calibration limited = with_limit({.memory = 0.5, .compute = 4}), without;
  for (const auto& [name, graphs, tensor, data] : {std::tuple{"llama", false, 1, 1},
                                                   {"llama", true, 1, 1},
                                                   {"llama", true, 2, 1},
                                                   {"mixtral", true, 1, 1},
                                                   {"mixtral", true, 1, 2},
                                                   {"gpt_oss", true, 1, 1}}) {
    Case c = on_a_gpu({.graphs = graphs, .overlap = true}, true, wide(family(name)));
    c.plan.parallel.tensor = tensor;
    c.plan.parallel.data = data;
    c.plan.parallel.experts = data > 1;
    c.cluster.device.host_dispatch.value = Seconds{1e-6};
    c.cluster.device.link_bandwidth = {BytesPerSecond{1e12}, "test"};
    const auto structure = compile(c.model(), c.plan);
    ASSERT_TRUE(structure) << to_string(structure.error());
    StepPredictor predictor(c, *structure, limited), at_top(c, *structure, without);
    std::map<double, int> clocks;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
      Features f = drawn(mix(seed));
      if (data > 1) f.group_tokens = data * f.tokens;
      const Prediction p = predict(c, *structure, f, limited);
      EXPECT_EQ(predictor.time(f), p.timeline.end) << seed;
      ASSERT_TRUE(p.clock);
      EXPECT_EQ(at_top.time(f) < p.timeline.end, *p.clock < 1) << seed;
      ++clocks[*p.clock];
    }
    EXPECT_GT(clocks[1], 10) << "some keep the top clock";
    EXPECT_GT(clocks.size(), 5U) << "others run at lower ones";
  }
  const Case c = on_a_gpu({}, true);
  EXPECT_FALSE(predict(c, *compile(c.model(), c.plan), drawn(1), without).clock) << "no limit is known";
}

TEST(Predict, ExpertsOfAGroupAskForWhatTheyReceive) {
  const Calibration limited = with_limit({.memory = 0.5, .compute = 4});
  const auto clock = [&](std::int64_t data) {
    Case c = on_a_gpu({.graphs = true}, true, wide(family("mixtral")));
    c.plan.parallel.data = data;
    c.plan.parallel.experts = data > 1;
    c.cluster.device.link_bandwidth = {BytesPerSecond{1e15}, "test"};
    const Features f{
        .tokens = 1024, .sequences = 1, .logit_rows = 1, .slices = {{1024, 0}}, .group_tokens = data * 1024};
    return *predict(c, *compile(c.model(), c.plan), f, limited).clock;
  };
  ASSERT_LT(clock(1), 0.9);
  EXPECT_NEAR(clock(2), clock(1), 0.06) << "each has half of the experts, and tokens of both";
}

TEST(Predict, ACopyBesideAStepDoesNotRaiseItsClock) {
  const Calibration limited = with_limit({.memory = 0.5, .compute = 4});
  const Case c = on_a_gpu({.graphs = true}, true, wide(family("llama")));
  const Structure structure = *compile(c.model(), c.plan);
  Features f{.tokens = 512, .sequences = 1, .logit_rows = 1, .slices = {{512, 0}}};
  const double alone = *predict(c, structure, f, limited).clock;
  ASSERT_LT(alone, 0.9);
  f.copy_beside.bytes = Bytes{1'000'000'000};
  EXPECT_EQ(*predict(c, structure, f, limited).clock, alone);
}

/// Products of more than 64 rows are a library's, whose gaps nothing overlaps.
TEST(StepPredictor, CountsTheGapsAtALibrarysKernels) {
  for (const bool graphs : {false, true}) {
    Case c = on_a_gpu({.graphs = graphs, .overlap = true}, true);
    c.cluster.device.host_dispatch.value = Seconds{0};  // the device is what takes the time
    const Structure structure = *compile(c.model(), c.plan);
    const auto with = [&](Seconds at_library) {
      const Gaps gaps{.between = Seconds{0.2e-6}, .at_library = at_library};
      Calibration calibration;
      calibration.kernels = std::make_shared<StepModels>(
          std::map<OperatorAndVariant, FittedModel>{},
          std::map<LaunchMode, Gaps>{{LaunchMode::eager_overlap, gaps}, {LaunchMode::graph_overlap, gaps}});
      return calibration;
    };
    const Calibration same = with(Seconds{0.2e-6}), apart = with(Seconds{1.2e-6});
    StepPredictor of_same(c, structure, same), of_apart(c, structure, apart);
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      const Features f = drawn(mix(seed));
      const Nanoseconds time = of_apart.time(f), more = time - of_same.time(f);
      EXPECT_EQ(time, predict(c, structure, f, apart).timeline.end) << seed;
      std::int64_t sides = 0;  // of a library's kernels, those between two of them once
      bool behind_library = false;
      const Graph graph = bind(structure, f);
      for (std::size_t v = 0; v < num_vertices(graph); v = kernel_of(structure, v, f).last + 1) {
        const NodeRange kernel = kernel_of(structure, v, f);
        bool library = false;
        for (std::size_t n = kernel.first; n <= kernel.last; ++n) {
          const auto* product = std::get_if<Linear>(&graph[n].op);
          library |= product != nullptr && product->tokens > 64;
        }
        sides += library ? (behind_library ? 1 : 2) : 0;
        behind_library = library;
      }
      EXPECT_EQ(more, Nanoseconds{1000 * sides}) << seed;
    }
  }
}

/// What was fitted of the host goes before what the device file says of it.
TEST(StepPredictor, LaunchesAsOftenAsTheHostWasFoundTo) {
  Case c = on_a_gpu({.graphs = false, .overlap = true}, true);
  const Structure structure = *compile(c.model(), c.plan);
  const auto with = [](std::optional<Seconds> dispatch) {
    Calibration calibration;
    calibration.kernels = std::make_shared<StepModels>(
        std::map<OperatorAndVariant, FittedModel>{},
        std::map<LaunchMode, Gaps>{{LaunchMode::eager_overlap, {.dispatch = dispatch}}});
    return calibration;
  };
  const Calibration slow = with(Seconds{30e-6}), unknown = with({});
  Case on_slow = c;
  c.cluster.device.host_dispatch.value = Seconds{1e-6};
  on_slow.cluster.device.host_dispatch.value = Seconds{30e-6};
  StepPredictor fitted(c, structure, slow), stated(on_slow, structure, unknown), fast(c, structure, unknown);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Features f = drawn(mix(seed));
    EXPECT_EQ(fitted.time(f), predict(c, structure, f, slow).timeline.end) << seed;
    EXPECT_EQ(fitted.time(f), stated.time(f)) << seed;
    EXPECT_GT(fitted.time(f), fast.time(f)) << seed;
  }
}

/// Windows in turns, experts behind dense layers, latent attention, more layers; hosts that hardly, partly
/// and always wait for the device.
TEST(StepPredictor, EqualsTheEventRunForEveryFamily) {
  for (const char* name : {"llama", "qwen3", "mixtral", "gpt_oss", "deepseek_v3"}) {
    for (const std::int64_t dispatch_ns : {100, 5'000, 80'000}) {
      Case c = on_a_gpu({.graphs = dispatch_ns == 100}, false, family(name));
      ASSERT_TRUE(set_setting(c, "architecture.layers", "9"));
      c.cluster.device.host_dispatch.value = Seconds{1e-9 * static_cast<double>(dispatch_ns)};
      const Structure structure = *compile(c.model(), c.plan);
      const Calibration calibration;
      StepPredictor predictor(c, structure, calibration);
      for (std::uint64_t seed = 0; seed < 25; ++seed) {
        const Features f = drawn(mix(seed));
        EXPECT_EQ(predictor.time(f), predict(c, structure, f, calibration).timeline.end) << name << seed;
        EXPECT_EQ(predictor.time(totals_of(f)), predictor.time(f));
      }
    }
  }
}

TEST(StepPredictor, EqualsTheEventRunWhereReplicasOfAttentionShareExperts) {
  Case c = on_a_gpu({.graphs = true, .batch_buckets = {8, 32}}, true, family("mixtral"));
  c.cluster.device.link_bandwidth = {BytesPerSecond{1e11}, "chosen"};
  c.plan.parallel = {.data = 2, .experts = true};
  const Structure structure = *compile(c.model(), c.plan);
  const Calibration calibration;
  StepPredictor predictor(c, structure, calibration);
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Features f = drawn(mix(seed));
    f.group_tokens = f.tokens + static_cast<std::int64_t>(mix(seed) % 500);
    EXPECT_EQ(predictor.time(f), predict(c, structure, f, calibration).timeline.end) << seed;
    Features more = f;
    more.group_tokens += 2000;
    EXPECT_LT(predictor.time(f), predictor.time(more)) << "the tokens of others are computed here";
  }
}

/// Short kernels of steps that are launched one by one have models of their own where launches overlap.
TEST(StepPredictor, EqualsTheEventRunWhereShortKernelsOfPromptsAreOthers) {
  const Case c = on_a_gpu({.graphs = true, .overlap = true}, false);
  const Structure structure = *compile(c.model(), c.plan);
  const Features decode{.tokens = 2, .sequences = 2, .logit_rows = 2, .slices = {{1, 40}, {1, 9}}};
  std::map<OperatorAndVariant, FittedModel> models;
  for (const LaunchMode mode : {LaunchMode::graph_overlap, LaunchMode::eager_overlap}) {
    const Graph graph = bind(structure, decode);
    for (std::size_t v = 0; v < num_vertices(graph); v = kernel_of(structure, v, decode).last + 1) {
      for (const StepCall& call : step_calls(graph, kernel_of(structure, v, decode), mode, false)) {
        if (!std::holds_alternative<Elementwise>(call.call)) continue;
        FittedModel model;
        for (const KernelParameter& p : parameters_of(call.call))
          model.values.push_back(mode == LaunchMode::eager_overlap ? p.high : p.generic);
        models.insert({{std::string{operator_of(call.call)}, call.variant}, std::move(model)});
      }
    }
  }
  Calibration calibration{.level = Level::calibrated};
  calibration.kernels = std::make_shared<StepModels>(models, std::map<LaunchMode, Gaps>{});
  const Calibration generic{.level = Level::calibrated};
  StepPredictor predictor(c, structure, calibration), other(c, structure, generic);
  int longer = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const Features f = drawn(mix(seed));
    EXPECT_EQ(predictor.time(f), predict(c, structure, f, calibration).timeline.end) << seed;
    if (!decodes(f)) longer += predictor.time(f) > other.time(f);
    if (decodes(f)) {
      EXPECT_EQ(predictor.time(f), other.time(f)) << seed;
    }
  }
  EXPECT_GT(longer, 5);
}

TEST(StepPredictor, ACopyBesideAndAProcessorArePredictedAsWell) {
  Case c = on_a_gpu({.graphs = true}, false);
  const Structure structure = *compile(c.model(), c.plan);
  const Calibration calibration;
  Features f = drawn(3);
  f.copy_beside.bytes = Bytes{1'000'000};
  EXPECT_EQ(StepPredictor(c, structure, calibration).time(f),
            predict(c, structure, f, calibration).timeline.end);
  c.cluster.device.kind = DeviceKind::cpu;
  f.copy_beside = {};
  EXPECT_EQ(StepPredictor(c, structure, calibration).time(f),
            predict(c, structure, f, calibration).timeline.end);
}

}  // namespace
}  // namespace inferometer
