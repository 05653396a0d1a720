#include "model/optimizations.hpp"

#include <gtest/gtest.h>

#include <set>

#include "model/settings.hpp"
#include "tests/model/networks.hpp"

namespace inferometer {
namespace {

Device full_device(DeviceKind kind) {
  Device d;
  d.name = kind == DeviceKind::gpu ? "any-gpu" : "any-cpu";
  d.kind = kind;
  for (const DType dtype : {DType::bf16, DType::f16, DType::fp8, DType::int8}) d.matrix[dtype] = {};
  return d;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Architecture& a : {tiny_llama(), tiny_mixtral(), tiny_deepseek()}) {
    for (const DeviceKind kind : {DeviceKind::gpu, DeviceKind::cpu}) {
      Case c;
      c.models["model"] = a;
      c.cluster.device = full_device(kind);
      all.push_back(c);
    }
  }
  return all;
}

std::string applied_message(Case c, const std::vector<std::string>& names, bool override_earlier = false) {
  const auto applied = apply(c, names, override_earlier);
  return applied ? "" : to_string(applied.error());
}

TEST(Optimizations, AreDescribedAndNamedOnce) {
  std::set<std::string_view> names;
  for (const Optimization& o : optimizations()) {
    EXPECT_TRUE(names.insert(o.name).second) << o.name;
    EXPECT_EQ(find_optimization(o.name), &o);
    for (const std::string_view text : {o.survey, o.summary, o.helps}) EXPECT_FALSE(text.empty()) << o.name;
  }
}

TEST(Optimizations, EachSetsSettingsThatExist) {
  for (const Case& c : cases()) {
    for (const Optimization& o : optimizations()) {
      if (!o.obstacle(c).empty()) continue;
      for (const SettingEdit& edit : o.edits(c)) {
        Case edited = c;
        const auto set = set_setting(edited, edit.path, edit.value);
        EXPECT_TRUE(set) << o.name << ": " << (set ? "" : to_string(set.error()));
      }
    }
  }
}

TEST(Optimizations, EveryPairCommutesOrIsRefusedInBothOrders) {
  std::size_t commuted = 0, refused = 0;
  for (const Case& c : cases()) {
    for (const Optimization& a : optimizations()) {
      for (const Optimization& b : optimizations()) {
        const std::string first{a.name}, second{b.name};
        Case ab = c, ba = c;
        const auto one = apply(ab, {first, second}), other = apply(ba, {second, first});
        ASSERT_EQ(one.has_value(), other.has_value()) << first << ", " << second;
        one ? ++commuted : ++refused;
        EXPECT_EQ(settings_hash(ab), settings_hash(ba)) << first << ", " << second;
        if (!one) {
          EXPECT_EQ(settings_hash(ab), settings_hash(c)) << "changed by a refused pair";
          for (const Error& e : one.error()) EXPECT_GT(e.message.size(), 20U) << "no reason";
        }
      }
    }
  }
  EXPECT_GT(commuted, 500U);
  EXPECT_GT(refused, 50U);
}

TEST(Optimizations, EveryPairThatAppliesCanBeCompiled) {
  for (const Case& c : cases()) {
    for (const Optimization& a : optimizations()) {
      for (const Optimization& b : optimizations()) {
        Case edited = c;
        if (!apply(edited, {std::string{a.name}, std::string{b.name}})) continue;
        const auto structure = compile(edited.model(), edited.plan);
        EXPECT_TRUE(structure) << c.model().name << ": " << a.name << ", " << b.name << ": "
                               << (structure ? "" : to_string(structure.error()));
      }
    }
  }
}

TEST(Optimizations, TwoThatSetOneFieldDifferentlyAreRefusedByName) {
  EXPECT_EQ(applied_message(cases()[0], {"naive-attention", "flash-attention"}),
            "error: \"naive-attention\" and \"flash-attention\" both set kernels.attention, to \"naive\" and "
            "\"tiled\"; leave one out, or say override: true\n");
  Case c = cases()[0];
  const auto edits = apply(c, {"naive-attention", "flash-attention"}, true);
  ASSERT_TRUE(edits);
  EXPECT_EQ(*edits, (std::vector<SettingEdit>{{"kernels.attention", "tiled"}}));
  EXPECT_EQ(c.plan.kernels.attention, AttentionKernel::tiled);
}

TEST(Optimizations, OverridesBuildOnWhatWasMadeBefore) {
  Case c = cases()[0];
  c.plan.precision = {.weights = DType::f32, .activations = DType::f32, .kv = DType::f32};
  ASSERT_TRUE(apply(c, {"bf16", "w8a8-int8"}, true));
  EXPECT_EQ(c.plan.precision.weights.at(0, Role::q), DType::int8);
  EXPECT_EQ(c.plan.precision.weights.at(-1, Role::lm_head), DType::bf16);
  EXPECT_EQ(c.plan.precision.activations.value, DType::bf16);
}

TEST(Optimizations, SayWhyTheyCannotBeApplied) {
  Case llama = cases()[1];  // on a CPU
  llama.cluster.device.matrix.erase(DType::fp8);
  EXPECT_EQ(applied_message(llama, {"cuda-graphs", "fp8", "grouped-experts", "bf17", "nonsense"}),
            "error: \"cuda-graphs\": needs a GPU; any-cpu is a CPU\n"
            "error: \"fp8\": any-cpu has no fp8 matrix units\n"
            "error: \"grouped-experts\": the model has no experts\n"
            "error: unknown optimization \"bf17\"; did you mean \"bf16\"?\n"
            "error: unknown optimization \"nonsense\"; see `inferometer list optimizations`\n");
  EXPECT_EQ(applied_message(cases()[4], {"mha"}),
            "error: \"mha\": the model has latent attention: one latent for all heads\n");
}

}  // namespace
}  // namespace inferometer
