#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "scenarios/scenario.hpp"

namespace inferometer {

/// Exit codes of every command.
enum ExitCode : int { done = 0, failed = 1, wrong_input = 2 };

/// What every command gets from the command line.
struct Context {
  Library library;
  bool json = false;
};

struct RunOptions {
  std::string scenario;
  std::filesystem::path out;
  bool execute = true;
  bool profile = false;  ///< print each step by operator
};
struct PredictOptions {
  std::string model, device = "h200-sxm", phase = "decode";
  std::int64_t batch = 1, context = 1024;
  std::vector<std::string> optimizations, settings;  ///< settings: "path=value"
  std::string calibration;  ///< file of the device's kernel models; empty: what the device file knows
};
struct CalibrateOptions {
  std::string backend = "cpu";
  double seconds = 40;            ///< that a CPU runs steps for
  std::vector<std::string> from;  ///< files of measured kernels, or of steps, to fit to; empty: measure
  std::string device;             ///< that they were measured on
  std::string out = "calibration.yaml";
  std::string points;  ///< file for the steps that were executed; empty: none
};
struct TuneOptions {
  std::string scenario, backend = "cuda:0";
  std::string out;  ///< empty: the file that the scenario names, or the one beside calibrations
};
struct ValidateOptions {
  std::vector<std::string> files;
  std::string device, level = "residual-corrected", fit_on = "20%", split = "group";
  std::string require;      ///< file of limits; empty: none
  std::string calibration;  ///< file to judge by, fitting nothing; empty: fit
  std::uint64_t seed = 1;
};
struct TransferCommandOptions {
  std::vector<std::string> fit;  ///< devices
  std::string on, level = "calibrated";
  std::string data;     ///< folder with a folder of each device; empty: what INFEROMETER_DATA names
  std::string require;  ///< file of limits; empty: none
  std::uint64_t seed = 1;
};
struct ValidateStepsOptions {
  std::string device, backend, grid;
  std::string measured;     ///< a grid that was executed before; empty: execute one
  std::string out;          ///< file for what was measured; empty: none
  std::string calibration;  ///< file of the device's kernel models; empty: what the device file knows
};
struct ValidatePapersOptions {
  std::vector<std::string> papers;  ///< names, or files; empty: all that ship
  std::string require;              ///< file of limits; empty: none
};
struct ValidateServingOptions {
  std::string data;  ///< folder with e2e_serving/; empty: what INFEROMETER_DATA names
  std::string fit_on = "20%";
  std::string require;  ///< file of limits; empty: none
  std::uint64_t seed = 1;
};
struct CapacityCommandOptions {
  std::string scenario;
  std::int64_t seeds = 5;
  double tolerance_percent = 1;
};
struct GraphOptions {
  PredictOptions what;
  bool dot = false;
};

int run_command(const Context& context, const RunOptions& options);
/// `capacity`: the highest request rate that meets the service level
int capacity_command(const Context& context, const CapacityCommandOptions& options);
int predict_command(const Context& context, const PredictOptions& options);
int calibrate_command(const Context& context, const CalibrateOptions& options);
/// `calibrate --from`: kernel models fitted to measurements
int calibrate_from_command(const Context& context, const CalibrateOptions& options);
/// `calibrate --backend cuda:N`, or --from a grid of steps: kernel models fitted to steps executed on a GPU
int calibrate_steps_command(const Context& context, const CalibrateOptions& options);
int tune_command(const Context& context, const TuneOptions& options);
/// `validate kernels`: kernel models against measurements
int validate_kernels_command(const Context& context, const ValidateOptions& options);
/// `validate transfer`: a device's kernels, predicted by measurements of others
int validate_transfer_command(const Context& context, const TransferCommandOptions& options);
/// `validate steps`: whole steps, executed and predicted
int validate_steps_command(const Context& context, const ValidateStepsOptions& options);
/// `validate papers`: published tables, predicted
int validate_papers_command(const Context& context, const ValidatePapersOptions& options);
/// `validate serving`: measured serving points, predicted
int validate_serving_command(const Context& context, const ValidateServingOptions& options);
int graph_command(const Context& context, const GraphOptions& options);
/// what: models, devices, operators, optimizations, settings, kernels, parameters
int list_command(const Context& context, const std::string& what);
int explain_command(const Context& context, const std::string& name);
int doctor_command(const Context& context);

}  // namespace inferometer
