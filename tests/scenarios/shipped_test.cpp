#include <cstdlib>
#include <iostream>

#include "model/memory.hpp"
#include "scenarios/device_file.hpp"
#include "tests/scenarios/files_for_tests.hpp"

namespace inferometer {
namespace {

/// What ships under scenarios/ loads as it is.
class Shipped : public InFolder {
 protected:
  const std::filesystem::path root_ = std::filesystem::path{INFEROMETER_SOURCE} / "scenarios";
  const Library library_{.root = root_, .calibration = folder_};
};

TEST_F(Shipped, EveryDeviceIsReadUnderItsName) {
  for (const std::string& name : list_devices(library_)) {
    if (name == "host") continue;
    const auto device = load_device(name, library_);
    ASSERT_TRUE(device) << to_string(device.error());
    EXPECT_EQ(device->name, name);
  }
}

TEST_F(Shipped, EveryScenarioLoads) {
  // This machine need not be measured for that.
  write("host.yaml",
        *read_file(std::filesystem::path{INFEROMETER_FIXTURES} / "library/devices/unit-cpu.yaml"));
  std::size_t loaded = 0;
  for (const auto& entry : std::filesystem::directory_iterator(root_)) {
    if (entry.path().extension() != ".yaml") continue;
    const bool needs_data = read_file(entry.path())->find("$INFEROMETER_DATA") != std::string::npos;
    if (needs_data && std::getenv("INFEROMETER_DATA") == nullptr) {
      std::cout << entry.path().filename() << " is not loaded: INFEROMETER_DATA is not set\n";
      continue;
    }
    const auto scenario = load_scenario(entry.path(), library_);
    EXPECT_TRUE(scenario) << to_string(scenario.error());
    if (scenario) {
      EXPECT_EQ(scenario->name, entry.path().stem());
    }
    ++loaded;
  }
  EXPECT_GE(loaded, 2U);
}

}  // namespace
}  // namespace inferometer
