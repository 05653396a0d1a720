#include <gtest/gtest.h>

#include "model/setting_text.hpp"
#include "model/settings.hpp"
#include "tests/model/networks.hpp"

namespace inferometer {
namespace {

Case tiny_case() {
  Case c;
  c.models["model"] = tiny_llama();
  return c;
}

std::string message(const Done& done) { return done ? "" : done.error().front().message; }

std::string set_message(std::string_view path, std::string_view text) {
  Case c = tiny_case();
  return message(set_setting(c, path, text));
}

TEST(Settings, EachPrintsToATextThatSetsTheSameValue) {
  Case c = tiny_case();
  c.models["model"].windowed_layer = {true, false};
  c.plan.precision.weights = DType::int8;
  c.plan.precision.weights.rules = {{.role = "lm_head", .value = DType::bf16},
                                    {.first = 0, .last = 1, .role = "*", .value = DType::f32}};
  c.plan.launch.batch_buckets = {1, 2, 4, 8};
  c.workload.copy_beside = {.bytes = Bytes{3 << 20}, .direction = CopyDirection::to_host};
  c.serving.load = 0.1;
  c.draws.seed = 18'446'744'073'709'551'615ULL;
  Case other = tiny_case();
  other.models["model"].windowed_layer = {true, false};
  EXPECT_NE(settings_hash(c), settings_hash(other));
  for (const Setting& s : settings(c)) EXPECT_EQ(message(set_setting(other, s.path, s.value)), "") << s.path;
  EXPECT_EQ(settings_hash(c), settings_hash(other));
  EXPECT_EQ(c.plan.precision.weights, other.plan.precision.weights);
}

TEST(Settings, TheHashDiffersWhenAnySettingDiffers) {
  const Case c = tiny_case();
  for (const Setting& s : settings(c)) {
    for (const char* value : {"true", "false", "1", "2", "f32", "bf16", "int8", "naive", "loop"}) {
      Case other = c;
      if (!set_setting(other, s.path, value)) continue;
      const bool same = settings(other).size() == settings(c).size() && [&] {
        for (std::size_t i = 0; i < settings(c).size(); ++i) {
          if (settings(c)[i].value != settings(other)[i].value) return false;
        }
        return true;
      }();
      EXPECT_EQ(same, settings_hash(other) == settings_hash(c)) << s.path << " = " << value;
    }
  }
}

TEST(Settings, SelectorsAreReadAsDocumented) {
  Selected<DType> weights;
  ASSERT_TRUE(parse_setting("int8 0-1/*=bf16 down=f32 7/o=f16", weights));
  EXPECT_EQ(weights.at(0, Role::q), DType::bf16);
  EXPECT_EQ(weights.at(1, Role::down), DType::f32);  // the last rule that matches wins
  EXPECT_EQ(weights.at(2, Role::q), DType::int8);
  EXPECT_EQ(weights.at(7, Role::o), DType::f16);
  EXPECT_EQ(weights.at(-1, Role::lm_head), DType::int8);
  EXPECT_EQ(print_setting(weights), "int8 0-1/*=bf16 down=f32 7-7/o=f16");
}

TEST(Settings, ListsTakeSpacesAndCommas) {
  std::vector<std::int64_t> buckets;
  ASSERT_TRUE(parse_setting("1, 2 4,8", buckets));
  EXPECT_EQ(buckets, (std::vector<std::int64_t>{1, 2, 4, 8}));
  ASSERT_TRUE(parse_setting("", buckets));
  EXPECT_TRUE(buckets.empty());
}

TEST(Settings, SizesArePrintedInTheLargestUnitThatIsExact) {
  EXPECT_EQ(print_setting(Bytes{0}), "0 B");
  EXPECT_EQ(print_setting(Bytes{1025}), "1025 B");
  EXPECT_EQ(print_setting(Bytes{1536 * 1024}), "1536 KiB");
  EXPECT_EQ(print_setting(Bytes{std::int64_t{8} << 30}), "8 GiB");
}

TEST(Settings, MistakesSayWhatWasExpected) {
  EXPECT_EQ(set_message("precision.wieghts", "f32"),
            "unknown setting \"precision.wieghts\"; did you mean \"precision.weights\"?");
  EXPECT_EQ(set_message("xyz", "1"), "unknown setting \"xyz\"; see `inferometer list settings`");
  EXPECT_EQ(
      set_message("precision.weights", "fp7"),
      "precision.weights: \"fp7\" is not a dtype; expected one of f32, bf16, f16, fp8, int8, int4, mxfp4, nvfp4, "
      "i32");
  EXPECT_EQ(set_message("precision.weights", "int8 lm_haed=bf16"),
            "precision.weights: \"lm_haed\" is not a role; did you mean \"lm_head\"?");
  EXPECT_EQ(set_message("precision.weights", "int8 lm_head"),
            "precision.weights: \"lm_head\" is not a rule such as lm_head=bf16 or 0-3/*=f32");
  EXPECT_EQ(set_message("precision.weights", "int8 3-1/*=bf16"),
            "precision.weights: \"3-1\" is an empty range of layers");
  EXPECT_EQ(set_message("precision.weights", ""), "precision.weights: is empty; a value is needed");
  EXPECT_EQ(set_message("precision.inputs", "int4"),
            "precision.inputs: \"int4\" is not one of as_is, int8, fp8");
  EXPECT_EQ(set_message("kernels.attention", "flash"),
            "kernels.attention: \"flash\" is not one of naive, tiled, cudnn");
  EXPECT_EQ(set_message("fusion.qkv", "yes"), "fusion.qkv: \"yes\" is not true or false");
  EXPECT_EQ(set_message("workload.batch", "1e3"),
            "workload.batch: \"1e3\" is not a whole number in plain digits");
  EXPECT_EQ(set_message("workload.batch", "010"),
            "workload.batch: \"010\" begins with 0, which could be octal; leave the 0 out");
  EXPECT_EQ(set_message("workload.batch", "-1"),
            "workload.batch: \"-1\" is out of range; 0 to 100000000 is possible");
  EXPECT_EQ(set_message("workload.batch", "99999999999999999999"),
            "workload.batch: \"99999999999999999999\" does not fit 64 bits");
  EXPECT_EQ(set_message("launch.batch_buckets", "4 2"), "launch.batch_buckets: \"4 2\" does not rise");
  EXPECT_EQ(
      set_message("workload.copy_beside.bytes", "2"),
      "workload.copy_beside.bytes: \"2\" has no unit (B, kB, MB, GB, TB, KiB, MiB, GiB, TiB); a size is "
      "needed, such as \"80 GiB\"");
  EXPECT_EQ(set_message("workload.copy_beside.direction", "out"),
            "workload.copy_beside.direction: \"out\" is not one of within_device, to_host, from_host");
  EXPECT_EQ(set_message("draws.seed", "-1"), "draws.seed: \"-1\" is not a whole number from 0 to 2^64 - 1");
  EXPECT_EQ(set_message("architecture.window", "128"),
            "architecture.window: no layer of the model has a window");
}

TEST(Settings, AMistakeLeavesTheCaseAsItWas) {
  const Case before = tiny_case();
  for (const Setting& s : settings(before)) {
    for (const char* wrong : {"-1", "999999999", "what", "f32 nothing=f32", "1 x"}) {
      Case c = before;
      if (set_setting(c, s.path, wrong)) continue;
      EXPECT_EQ(settings_hash(c), settings_hash(before)) << s.path;
    }
  }
}

TEST(Settings, FurtherLayersRepeatThePatternOfWindows) {
  Case c = tiny_case();
  c.models["model"].window = 16;
  c.models["model"].windowed_layer = {true, false};
  ASSERT_TRUE(set_setting(c, "architecture.layers", "5"));
  EXPECT_EQ(c.model().windowed_layer, (std::vector<bool>{true, false, true, false, true}));
  ASSERT_TRUE(set_setting(c, "architecture.layers", "1"));
  EXPECT_EQ(c.model().windowed_layer, (std::vector<bool>{true}));
}

}  // namespace
}  // namespace inferometer
