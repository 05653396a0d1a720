#include <CLI/CLI.hpp>

#include "cli/edges.hpp"

namespace {

using namespace inferometer;

void add_case_options(CLI::App& app, PredictOptions& o) {
  app.add_option("--model", o.model, "preset (see `list models`) or path to a config.json")->required();
  app.add_option("--device", o.device, "preset (see `list devices`) or path to a device file")
      ->capture_default_str();
  app.add_option("--phase", o.phase, "prefill or decode")->capture_default_str();
  app.add_option("--batch", o.batch, "sequences in the step")->capture_default_str();
  app.add_option("--context", o.context, "tokens that each sequence attends over, the new ones included")
      ->capture_default_str();
  app.add_option("--optimize", o.optimizations, "optimizations by name (see `list optimizations`)")
      ->delimiter(',');
  app.add_option("--set", o.settings, "any setting, as path=value (see `list settings`)");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "inferometer predicts LLM inference (roofline and discrete events), runs the same graph for real,\n"
      "and shows the difference.\n\n"
      "  inferometer run scenarios/quickstart.yaml             predict, execute, compare, write a report\n"
      "  inferometer predict --model llama-3.1-70b --device h200-sxm --batch 8 --context 4096\n"
      "  inferometer list models                               what ships\n"
      "  inferometer explain w8a8-int8                         what a name means\n"};
  app.require_subcommand(1);
  app.set_version_flag("--version", INFEROMETER_VERSION);
  Context context{.library = find_library()};
  const auto json_flag = [&](CLI::App* command) {
    command->add_flag("--json", context.json, "print JSON instead of a table");
    return command;
  };
  int code = done;

  RunOptions run;
  bool predict_only = false;
  auto* run_app = json_flag(app.add_subcommand("run", "predict and execute a scenario, and write a report"));
  run_app->add_option("scenario", run.scenario, "YAML file")->required();
  run_app->add_option("--out", run.out, "folder for report.html, report.md, results.json and trace.json");
  run_app->add_flag("--predict-only", predict_only, "do not execute");
  run_app->callback([&] {
    run.execute = !predict_only;
    code = run_command(context, run);
  });

  RunOptions profile{.profile = true};
  auto* profile_app = json_flag(app.add_subcommand(
      "profile",
      "predict and execute a scenario, and show where each step's time goes, operator by operator"));
  profile_app->add_option("scenario", profile.scenario, "YAML file")->required();
  profile_app->add_option("--out", profile.out,
                          "folder for report.html, report.md, results.json and trace.json");
  profile_app->callback([&] { code = run_command(context, profile); });

  CapacityCommandOptions capacity;
  auto* capacity_app = json_flag(app.add_subcommand(
      "capacity", "the highest request rate at which each variant of a scenario meets its slo:, predicted"));
  capacity_app->add_option("scenario", capacity.scenario, "YAML file with traffic: and slo:")->required();
  capacity_app->add_option("--seeds", capacity.seeds, "draws of the traffic, for the 95 % interval")
      ->check(CLI::Range(1, 31))
      ->capture_default_str();
  capacity_app->add_option("--tolerance", capacity.tolerance_percent, "of the rate [%]")
      ->check(CLI::Range(0.01, 50.0))
      ->capture_default_str();
  capacity_app->callback([&] { code = capacity_command(context, capacity); });

  PredictOptions predict;
  auto* predict_app =
      json_flag(app.add_subcommand("predict", "predict one step, without executing anything"));
  add_case_options(*predict_app, predict);
  predict_app->add_option("--calibration", predict.calibration,
                          "of the device, as `calibrate` wrote it; the data sheet alone if not given");
  predict_app->callback([&] { code = predict_command(context, predict); });

  CalibrateOptions calibrate;
  auto* calibrate_app = app.add_subcommand(
      "calibrate", "measure this machine, or take measurements, and fit the kernel models");
  auto* backend = calibrate_app->add_option("--backend", calibrate.backend,
                                            "what to measure: cpu, or cuda:N with its --device");
  backend->capture_default_str();
  auto* seconds = calibrate_app->add_option("--seconds", calibrate.seconds,
                                            "for which a CPU runs steps over and over; longer averages more");
  seconds->capture_default_str();
  auto* from = calibrate_app->add_option(
      "--from", calibrate.from,
      "instead, fit to measured kernels, CSV files as `validate kernels` reads, or to what --points wrote");
  auto* measured_on =
      calibrate_app->add_option("--device", calibrate.device, "what it is: preset or device file");
  from->needs(measured_on)->excludes(backend)->excludes(seconds);
  auto* out =
      calibrate_app
          ->add_option("--out", calibrate.out, "file to write; not of a CPU, which is kept as device host")
          ->capture_default_str()
          ->needs(measured_on);
  auto* points =
      calibrate_app->add_option("--points", calibrate.points, "file for the steps that a GPU executed")
          ->needs(measured_on)
          ->excludes(from);
  calibrate_app->callback([&] {
    const bool steps = calibrate.from.empty() ? cuda_device(calibrate.backend).has_value()
                                              : calibrate.from.front().ends_with(".yaml");
    if (steps && seconds->count() > 0) {
      code = tell({{"--seconds: a GPU executes its steps once"}}, wrong_input);
      return;
    }
    const bool of_host = calibrate.from.empty() && calibrate.backend == "cpu";
    if (of_host && (out->count() > 0 || points->count() > 0)) {
      code = tell({{"--out, --points: a CPU's calibration is one file, kept as device host"}}, wrong_input);
      return;
    }
    if (of_host && measured_on->count() > 0 && calibrate.device != "host") {
      code = tell({{"--device " + calibrate.device + ": a CPU is calibrated as device host"}}, wrong_input);
      return;
    }
    code = steps                    ? calibrate_steps_command(context, calibrate)
           : calibrate.from.empty() ? calibrate_command(context, calibrate)
                                    : calibrate_from_command(context, calibrate);
  });

  TuneOptions tune;
  auto* tune_app = json_flag(app.add_subcommand(
      "tune", "time the ways to compute a scenario's matrix products, and write which one is fastest"));
  tune_app->add_option("scenario", tune.scenario, "YAML file")->required();
  tune_app->add_option("--backend", tune.backend, "where")->capture_default_str();
  tune_app->add_option("--out", tune.out,
                       "file to write; the one that the scenario names, or the user's own, if not given");
  tune_app->callback([&] { code = tune_command(context, tune); });

  ValidateOptions validate;
  auto* validate_app = app.add_subcommand("validate", "how far predictions are off, against measurements");
  validate_app->require_subcommand(1);
  auto* kernels_app = json_flag(validate_app->add_subcommand(
      "kernels", "fit the kernel models to a part of measured kernels, and predict the others"));
  kernels_app->add_option("files", validate.files, "CSV files, told apart by their columns (see README)")
      ->required();
  kernels_app->add_option("--device", validate.device, "what they were measured on: preset or device file")
      ->required();
  kernels_app->add_option("--level", validate.level, "datasheet, calibrated or residual-corrected")
      ->capture_default_str();
  auto* by = kernels_app->add_option("--calibration", validate.calibration,
                                     "judge all rows by what `calibrate --from` wrote, fitting nothing");
  kernels_app->add_option("--fit-on", validate.fit_on, "part of the rows to fit to")
      ->capture_default_str()
      ->excludes(by);
  kernels_app->add_option("--split", validate.split, "group (whole shapes are left out) or row")
      ->capture_default_str()
      ->excludes(by);
  kernels_app->add_option("--seed", validate.seed, "of the split")->capture_default_str()->excludes(by);
  kernels_app->add_option("--require", validate.require,
                          "limits that errors must stay within, such as scenarios/limits/kernels.yaml");
  kernels_app->callback([&] { code = validate_kernels_command(context, validate); });

  TransferCommandOptions transfer;
  auto* transfer_app = json_flag(validate_app->add_subcommand(
      "transfer",
      "fit the kernel models to measurements of some devices, at most 1250 rows of an operator and dtype\n"
      "of each, and predict those of another from its data sheet"));
  transfer_app->add_option("--fit", transfer.fit, "devices to fit to, such as h200-sxm,a100-sxm")
      ->required()
      ->delimiter(',');
  transfer_app->add_option("--on", transfer.on, "device to predict")->required();
  transfer_app->add_option("--data", transfer.data,
                           "folder with measurements: those of h200-sxm are h200_sxm/*.csv in it; if not\n"
                           "given, what the environment variable INFEROMETER_DATA names");
  transfer_app->add_option("--level", transfer.level, "calibrated or residual-corrected")
      ->capture_default_str();
  transfer_app->add_option("--seed", transfer.seed, "of the draw of rows")->capture_default_str();
  transfer_app->add_option("--require", transfer.require,
                           "limits that errors must stay within, such as scenarios/limits/transfer.yaml");
  transfer_app->callback([&] { code = validate_transfer_command(context, transfer); });

  ValidateStepsOptions steps;
  auto* steps_app = json_flag(validate_app->add_subcommand(
      "steps", "execute a grid of whole steps, and set them beside predictions"));
  auto* where = steps_app->add_option("--backend", steps.backend, "where to execute: cpu or cuda:N");
  auto* earlier = steps_app->add_option("--measured", steps.measured,
                                        "judge what --out wrote earlier, executing nothing");
  earlier->excludes(where);
  steps_app->add_option("--device", steps.device, "what is predicted: preset or device file")->required();
  steps_app
      ->add_option("--grid", steps.grid, "steps to execute; the shipped ones for GPUs or CPUs if not given")
      ->excludes(earlier);
  steps_app->add_option("--out", steps.out, "file for what was measured")->excludes(earlier);
  steps_app->add_option("--calibration", steps.calibration, "predict by what `calibrate` wrote");
  steps_app->callback([&] { code = validate_steps_command(context, steps); });

  ValidatePapersOptions papers;
  auto* papers_app = json_flag(
      validate_app->add_subcommand("papers", "predict tables that others published, without measuring"));
  papers_app->add_option("papers", papers.papers, "names under scenarios/papers, or files; all if not given");
  papers_app->add_option("--require", papers.require,
                         "limits that errors must stay within, such as scenarios/limits/papers.yaml");
  papers_app->callback([&] { code = validate_papers_command(context, papers); });

  ValidateServingOptions serving;
  auto* serving_app = json_flag(validate_app->add_subcommand(
      "serving",
      "predict serving points of real engines, without anything fitted and with a profile of each engine"));
  serving_app->add_option("--data", serving.data,
                          "folder with e2e_serving/*.csv; if not given, what the environment variable\n"
                          "INFEROMETER_DATA names");
  serving_app
      ->add_option("--fit-on", serving.fit_on,
                   "part of an engine's configurations that its profile is fitted to")
      ->capture_default_str();
  serving_app->add_option("--seed", serving.seed, "of the choice of configurations")->capture_default_str();
  serving_app->add_option("--require", serving.require,
                          "limits that errors must stay within, such as scenarios/limits/serving.yaml");
  serving_app->callback([&] { code = validate_serving_command(context, serving); });

  GraphOptions graph;
  auto* graph_app =
      json_flag(app.add_subcommand("graph", "the operators of one step, as a table or for Graphviz"));
  add_case_options(*graph_app, graph.what);
  graph_app->add_flag("--dot", graph.dot, "print DOT");
  graph_app->callback([&] { code = graph_command(context, graph); });

  std::string what;
  auto* list_app = json_flag(app.add_subcommand(
      "list", "models, devices, operators, optimizations, settings, kernels or parameters"));
  list_app
      ->add_option("what", what,
                   "models | devices | operators | optimizations | settings | kernels | parameters")
      ->required();
  list_app->callback([&] { code = list_command(context, what); });

  std::string explained;
  auto* explain_app = app.add_subcommand(
      "explain", "what an operator, kernel model, optimization, device, model or setting is");
  explain_app->add_option("name", explained)->required();
  explain_app->callback([&] { code = explain_command(context, explained); });

  app.add_subcommand("doctor", "what this machine can do, and what is missing")->callback([&] {
    code = doctor_command(context);
  });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? done : wrong_input;
  }
  return code;
}
