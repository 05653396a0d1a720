#include "simulator/step_predictor.hpp"

#include <gtest/gtest.h>

#include "model/seeded.hpp"
#include "tests/model/networks.hpp"

namespace inferometer {
namespace {

Case on_a_gpu(Plan::Launch launch, bool fused) {
  Case c;
  c.models["model"] = tiny_llama();
  c.plan.launch = std::move(launch);
  c.plan.fusion = {.qkv = fused,
                   .gate_up = fused,
                   .residual_norm = fused,
                   .rope_kv = fused,
                   .rope_attention = fused,
                   .norm_product = fused};
  Device& d = c.cluster.device;
  d.kind = DeviceKind::gpu;
  d.memory_bandwidth.value = d.cache_bandwidth.value = BytesPerSecond{1e12};
  d.cache_capacity.value = Bytes{1 << 20};
  d.vector.value = d.matrix[DType::bf16].value = FlopsPerSecond{1e14};
  d.processors.value = 10;
  d.clock.value = Hertz{1e9};
  d.launch.value = Seconds{1e-6};
  d.host_dispatch.value = Seconds{5e-6};  // about as long as kernels: which one waits differs
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
    for (const bool fused : {false, true}) {
      const Case c = on_a_gpu(launch, fused);
      const Structure structure = *compile(c.model(), c.plan);
      const Calibration calibration;
      StepPredictor predictor(c, structure, calibration);
      for (std::uint64_t seed = 0; seed < 60; ++seed) {
        const Features f = drawn(mix(seed));
        EXPECT_EQ(predictor.time(f), predict(c, structure, f, calibration).timeline.end) << seed;
      }
    }
  }
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
