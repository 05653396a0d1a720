#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/case.hpp"
#include "model/result.hpp"
#include "model/traffic.hpp"
#include "roofline/calibration.hpp"
#include "scenarios/step_profile.hpp"
#include "simulator/serving/metrics.hpp"
#include "simulator/serving/reused_timer.hpp"
#include "traffic/spec.hpp"

namespace inferometer {

/// One changed setting: "precision.weights" = "int8 lm_head=bf16".
struct Edit {
  std::string path, value;
  Location where;
};

/// Instances of a server that are alike.
struct Pool {
  std::string name;
  PoolRole role = PoolRole::both;
  std::int64_t replicas = 1;
  std::optional<Device> device;            ///< where it is not the scenario's
  std::optional<Calibration> calibration;  ///< of that device
  std::vector<Edit> edits;
  Location where;
  Case edited;  ///< what it runs: the baseline, or a variant, under these edits
};

/// The baseline with named optimizations and further settings.
struct Variant {
  std::string name;
  std::vector<std::string> optimizations;
  std::vector<Edit> edits;  ///< those of the optimizations first, then its own
  Case edited;              ///< the baseline under these edits
  std::vector<Pool>
      pools;  ///< its own, or the baseline's with its edits below theirs; none: one, of replicas
};

/// One line of `sweep:`: what is varied, through all of its values.
struct SweepAxis {
  std::string path;  ///< of a setting, or "device"
  std::vector<std::string> values;
  Location where;
  struct Swept {
    Device device;
    Calibration calibration;
  };
  std::vector<Swept> devices;  ///< that the values name, where path is "device"
};

/// A what-if question, read whole from one YAML file.
struct Scenario {
  std::string name, description;
  std::filesystem::path file;
  std::string model;         ///< the preset's name or the config.json that was read
  std::string backend;       ///< where to execute ("cpu", "cuda:0"); empty: prediction only
  std::int64_t repeats = 5;  ///< timed runs of each step
  StepDurations durations = StepDurations::executed;  ///< of traffic's executed steps
  std::string weights;  ///< checkpoint file or folder to execute with; empty: seeded weights
  std::string tuning;   ///< file with choices of kernels; "none", or empty: what `tune` wrote, if anything
  Case baseline;
  Calibration calibration;             ///< of the device
  std::optional<StepProfile> profile;  ///< that times steps of traffic instead
  /// What is asked of a server; null: the workload's static batch is run.
  std::shared_ptr<const Traffic> traffic;
  TrafficSpec traffic_spec;  ///< that it was read or drawn by, so that it can be drawn anew
  ServiceLevel level;        ///< that requests of the traffic are judged by
  std::vector<Pool> pools;   ///< of the baseline; none: one, of serving.replicas
  std::vector<Variant> variants;
  std::vector<SweepAxis> sweep;
};
/// What is run: the baseline, then the variants.
std::vector<Variant> runs_of(const Scenario& scenario);

/// Where presets lie: models/*.json, devices/*.yaml and what calibration wrote.
struct Library {
  std::filesystem::path root;  ///< holds models/ and devices/
  std::filesystem::path
      calibration;  ///< where `calibrate` and `tune` write and `run` looks, such as ~/.cache/inferometer
};

/// Reads a scenario with everything it names. All mistakes are told at once, each at its place.
[[nodiscard]] Result<Scenario> load_scenario(const std::filesystem::path& file, const Library& library);
/// What `device:` names in a scenario file, empty where that cannot be read: so that "host" can be measured
/// before the scenario is loaded.
std::string device_of(const std::filesystem::path& file);
/// A preset's name, or a path to a config.json (or a folder that holds one).
/// beside: the folder that relative paths start from.
[[nodiscard]] Result<Architecture> load_model(const std::string& name, const Library& library,
                                              const std::filesystem::path& beside = ".");
/// A preset's name, or a path to a device file.
[[nodiscard]] Result<Device> load_device(const std::string& name, const Library& library);
/// What is known of a device beyond its data sheet.
[[nodiscard]] Result<Calibration> calibration_for(const std::string& device, const Library& library);
/// Names of presets in `library`, sorted.
std::vector<std::string> list_models(const Library& library);
std::vector<std::string> list_devices(const Library& library);

/// Sets one setting of a case from text, as --set and scenarios do. Errors name the valid paths or values.
[[nodiscard]] Done set_field(Case& c, const Edit& edit);

}  // namespace inferometer
