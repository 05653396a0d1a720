#include "scenarios/device_file.hpp"

#include "tests/scenarios/files_for_tests.hpp"

namespace inferometer {
namespace {

std::string preset(const std::string& name) {
  return *read_file(std::filesystem::path{INFEROMETER_FIXTURES} / "library" / "devices" / (name + ".yaml"));
}

/// What is told about the preset `name` with `from` replaced.
std::string told_with(const std::string& name, const std::string& from, const std::string& to) {
  std::string text = preset(name);
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
  const auto device = read_device(text, "d.yaml");
  return device ? "read" : to_string(device.error());
}

TEST(DeviceFile, NumbersAreReadWithUnitsAndSources) {
  const auto file = read_device(preset("unit-gpu"), "d.yaml");
  ASSERT_TRUE(file);
  const Device& d = file->device;
  EXPECT_EQ(d.name, "unit-gpu");
  EXPECT_EQ(d.kind, DeviceKind::gpu);
  EXPECT_EQ(d.memory_capacity.value, Bytes{1'000'000'000});
  EXPECT_EQ(d.memory_bandwidth.value, BytesPerSecond{1e12});
  EXPECT_EQ(d.memory_bandwidth.source, "made up");
  EXPECT_EQ(d.matrix.at(DType::fp8).value, FlopsPerSecond{200e12});
  EXPECT_FALSE(d.matrix.contains(DType::int8));
  EXPECT_DOUBLE_EQ(d.launch.value.count(), 1e-6);
  EXPECT_FALSE(d.host_link_bandwidth);
  EXPECT_EQ(d.compute_power->value, Watts{60});
  EXPECT_EQ(d.price->value, DollarsPerHour{2});
  EXPECT_EQ(file->calibration.level, Level::datasheet);
}

TEST(DeviceFile, ItsCalibrationNamesTheFileAndItsHash) {
  const auto file = read_device(preset("unit-cpu"), "d.yaml");
  ASSERT_TRUE(file) << to_string(file.error());
  const Calibration& c = file->calibration;
  EXPECT_EQ(c.level, Level::calibrated);
  EXPECT_EQ(c.machine, "nobody's");
  EXPECT_EQ(c.get("matrix_efficiency.bf16", 0), 0.8);
  EXPECT_TRUE(c.source.starts_with("d.yaml (hash ")) << c.source;
  EXPECT_DOUBLE_EQ(file->quality.p90_error, 0.2);
  const auto other = read_device(preset("unit-cpu") + "# other\n", "d.yaml");
  EXPECT_NE(c.source, other->calibration.source);
}

TEST(DeviceFile, PrintsToATextThatReadsBack) {
  for (const char* name : {"unit-gpu", "unit-cpu"}) {
    const auto file = read_device(preset(name), "d.yaml");
    ASSERT_TRUE(file);
    const std::string text = print_device(*file);
    const auto again = read_device(text, "d.yaml");
    ASSERT_TRUE(again) << text << to_string(again.error());
    EXPECT_EQ(print_device(*again), text);
    EXPECT_EQ(again->device.memory_bandwidth.value, file->device.memory_bandwidth.value);
    EXPECT_EQ(again->device.price.has_value(), file->device.price.has_value());
    EXPECT_EQ(again->calibration.parameters.size(), file->calibration.parameters.size());
  }
}

TEST(DeviceFile, SaysWhatACacheRetains) {
  auto file = *read_device(preset("unit-cpu"), "d.yaml");
  EXPECT_FALSE(file.device.cache_retention);
  file.device.cache_retention = {{0.625, "measured"}};
  const auto again = read_device(print_device(file), "d.yaml");
  ASSERT_TRUE(again && again->device.cache_retention) << print_device(file);
  EXPECT_EQ(again->device.cache_retention->value, 0.625);
  EXPECT_EQ(again->device.cache_retention->source, "measured");
  const std::string told =
      told_with("unit-cpu", "processors:", "cache_retention: {value: 1.5, source: \"x\"}\nprocessors:");
  EXPECT_NE(told.find("cache_retention: must be a share, 0 to 1, is 1.5"), std::string::npos) << told;
  const std::string negative =
      told_with("unit-cpu", "processors:", "cache_retention: {value: -0.1, source: \"x\"}\nprocessors:");
  EXPECT_NE(negative.find("value: must not be negative"), std::string::npos) << negative;
  const std::string of_gpu =
      told_with("unit-gpu", "processors:", "cache_retention: {value: 0.5, source: \"x\"}\nprocessors:");
  EXPECT_NE(of_gpu.find("cache_retention: is of processors only"), std::string::npos) << of_gpu;
}

TEST(DeviceFile, OnlyAProcessorWidensBf16) {
  auto file = *read_device(preset("unit-cpu"), "d.yaml");
  EXPECT_FALSE(file.device.widens_bf16);
  file.device.widens_bf16 = true;
  EXPECT_TRUE(read_device(print_device(file), "d.yaml")->device.widens_bf16);
  const std::string told = told_with("unit-gpu", "vector:", "widens_bf16: true\nvector:");
  EXPECT_NE(told.find("widens_bf16: is of processors only"), std::string::npos) << told;
}

TEST(DeviceFile, PrintsWhateverAMachineIsCalled) {
  auto file = *read_device(preset("unit-cpu"), "d.yaml");
  file.device.name = "a: \"#\\ [b]\n\x01";
  file.device.memory_bandwidth.value = BytesPerSecond{12'345'678'901.2};
  const auto again = read_device(print_device(file), "d.yaml");
  ASSERT_TRUE(again) << to_string(again.error());
  EXPECT_EQ(again->device.name, "a: \"#\\ [b]  ");
  EXPECT_EQ(again->device.memory_bandwidth.value, BytesPerSecond{12'345'700'000});
}

TEST(DeviceFile, MistakesAreToldWithPlaces) {
  EXPECT_EQ(
      told_with("unit-gpu", "{value: 1 TB/s, source: \"made up\"}", "4.8 TB/s"),
      "d.yaml:6:19: error: memory_bandwidth: a number and its source are needed: {value: 4.8 TB/s, source: "
      "\"...\"}\n");
  EXPECT_EQ(
      told_with("unit-gpu", "1 TB/s", "4.8 TB"),
      "d.yaml:6:27: error: memory_bandwidth.value: \"4.8 TB\" is a size; a rate is needed, such as \"4.8 "
      "TB/s\"\n");
  EXPECT_EQ(told_with("unit-gpu", "1 TB/s", "0 TB/s"),
            "d.yaml:6:27: error: memory_bandwidth.value: must be positive\n");
  EXPECT_EQ(told_with("unit-gpu", "1 TB/s", "-1 TB/s"),
            "d.yaml:6:27: error: memory_bandwidth.value: \"-1 TB/s\" is negative\n");
  EXPECT_EQ(
      told_with("unit-gpu", "1 TB/s", "38 Tbit/s"),
      "d.yaml:6:27: error: memory_bandwidth.value: \"38 Tbit/s\" counts bits; a rate is needed, such as "
      "\"4.8 TB/s\"\n");
  EXPECT_EQ(told_with("unit-gpu", "{value: 1 TB/s, source: \"made up\"}", "{value: 1 TB/s}"),
            "d.yaml:6:19: error: memory_bandwidth: missing key \"source\"\n");
  EXPECT_EQ(told_with("unit-gpu", "memory_bandwidth:", "memory_bandwith:"),
            "d.yaml:2:1: error: missing key \"memory_bandwidth\"\n"
            "d.yaml:6:1: error: unknown key \"memory_bandwith\"; did you mean \"memory_bandwidth\"?\n");
  EXPECT_EQ(told_with("unit-gpu", "kind: gpu", "kind: tpu"),
            "d.yaml:4:7: error: kind: \"tpu\" is not gpu or cpu\n");
  EXPECT_EQ(told_with("unit-gpu", "bf16:", "bf17:"),
            "d.yaml:12:3: error: matrix: unknown key \"bf17\"; did you mean \"bf16\"?\n");
  EXPECT_EQ(told_with("unit-gpu", "{value: 10, s", "{value: 9.5, s"),
            "d.yaml:9:21: error: processors.value: \"9.5\" is not a whole number in plain digits\n");
  EXPECT_EQ(told_with("unit-cpu", "0.9, unit: \"1\"", "9, unit: us"),
            "d.yaml:24:41: error: calibration.parameters.memory_efficiency.unit: \"us\" is not \"1\"\n");
  EXPECT_EQ(
      told_with("unit-cpu", "value: 0.9", "value: 9"),
      "d.yaml:24:32: error: calibration.parameters.memory_efficiency.value: must be 0.2 to 1.5, is 9\n");
  EXPECT_EQ(told_with("unit-cpu", "memory_efficiency:", "memory_eficiency:"),
            "d.yaml:24:5: error: calibration.parameters: unknown key \"memory_eficiency\"; did you mean "
            "\"memory_efficiency\"?\n");
  EXPECT_EQ(told_with("unit-cpu", "  machine: nobody's\n", ""),
            "d.yaml:19:3: error: calibration: missing key \"machine\"\n");
}

}  // namespace
}  // namespace inferometer
