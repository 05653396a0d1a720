#include <algorithm>
#include <map>

#include "model/read_name.hpp"
#include "model/reader.hpp"
#include "model/settings.hpp"
#include "scenarios/calibration_file.hpp"
#include "scenarios/check_case.hpp"
#include "scenarios/check_edits.hpp"
#include "scenarios/device_file.hpp"
#include "scenarios/files.hpp"
#include "scenarios/load_pools.hpp"
#include "scenarios/load_sweep.hpp"
#include "scenarios/load_traffic.hpp"
#include "scenarios/load_variant.hpp"
#include "scenarios/setting_tree.hpp"
#include "scenarios/yaml_document.hpp"

namespace inferometer {
namespace {

namespace fs = std::filesystem;

SettingPaths plan_paths() {
  SettingPaths paths;
  Plan plan;
  fields(plan, [&](std::string_view path, const auto&, std::string_view) { paths.emplace_back(path); });
  return paths;
}

SettingPaths workload_paths() {
  SettingPaths paths;
  Workload workload;
  workload_fields(workload, [&](std::string_view path, const auto&, std::string_view) {
    paths.emplace_back(path.substr(std::string_view{"workload."}.size()));
  });
  return paths;
}

SettingPaths serving_paths() {
  SettingPaths paths;
  Serving serving;
  serving_fields(serving, [&](std::string_view path, const auto&, std::string_view) {
    paths.emplace_back(path.substr(std::string_view{"serving."}.size()));
  });
  return paths;
}

void read_execute(Reader in, Scenario& s, const fs::path& folder) {
  s.backend = in.required<std::string>("backend");
  const bool cuda = s.backend.starts_with("cuda:") && s.backend.size() > 5 &&
                    s.backend.find_first_not_of("0123456789", 5) == std::string::npos;
  if (!s.backend.empty() && s.backend != "cpu" && !cuda)
    in.error("backend", "\"" + s.backend + "\" is not cpu or cuda:N");
  const std::size_t before = in.errors().size();
  s.repeats = in.optional<std::int64_t>("repeats", 5);
  if (in.errors().size() == before && (s.repeats < 1 || s.repeats > 1000))
    in.error("repeats", "must be 1 to 1000, is " + std::to_string(s.repeats));
  if (const auto durations = in.maybe<std::string>("durations"); durations && !durations->empty()) {
    s.durations = name_in<StepDurations>(in, "durations", *durations).value_or(s.durations);
  }
  if (const auto weights = in.maybe<std::string>("weights"); weights && !weights->empty()) {
    s.weights = (folder / *weights).string();
    std::error_code ignored;
    if (!fs::exists(s.weights, ignored)) in.error("weights", "no such file or folder: " + s.weights);
  }
  if (const auto tuning = in.maybe<std::string>("tuning"); tuning && !tuning->empty()) {
    s.tuning = *tuning == "none" ? *tuning : (folder / *tuning).string();
    if (!cuda) in.error("tuning", "only kernels of cuda:N are tuned");
  }
  in.reject_unknown_keys();
}

Engine read_engine(Reader in) {
  Engine engine{.per_step = in.optional<Seconds>("per_step", Seconds{0}),
                .per_sequence = in.optional<Seconds>("per_sequence", Seconds{0}),
                .memory_reserve = in.optional<Bytes>("memory_reserve", Bytes{0}),
                .sampler_bytes_per_logit = in.optional<std::int64_t>("sampler_bytes_per_logit", 0),
                .source = in.required<std::string>("source")};
  if (engine.sampler_bytes_per_logit < 0) in.error("sampler_bytes_per_logit", "must not be negative");
  in.reject_unknown_keys();
  return engine;
}

/// The model and the device with its calibration. returns whether both were read
bool read_model_and_device(Reader& in, Scenario& s, const Library& library) {
  const fs::path folder = s.file.parent_path();
  const auto place = [&](std::string_view key) {
    const Document* d = in.raw(key);
    return d != nullptr ? d->where : in.where();
  };
  s.model = in.required<std::string>("model");
  const std::string device = in.required<std::string>("device");
  Architecture& model = s.baseline.models["model"];
  bool complete = !s.model.empty() && !device.empty();
  if (!s.model.empty()) {
    if (Result<Architecture> found = load_model(s.model, library, folder); found) {
      model = std::move(*found);
    } else {
      take_errors(in.errors(), found.error(), place("model"), "model: ");
      complete = false;
    }
  }
  if (!device.empty()) {
    if (Result<DeviceFile> found = find_device(device, library, folder); found) {
      s.baseline.cluster.device = std::move(found->device);
      s.calibration = std::move(found->calibration);
    } else {
      take_errors(in.errors(), found.error(), place("device"), "device: ");
      complete = false;
    }
  }
  if (const auto file = in.maybe<std::string>("calibration"); file && !file->empty() && complete) {
    if (Result<Calibration> read = load_calibration(folder / *file, s.baseline.cluster.device); read) {
      s.calibration = std::move(*read);
    } else {
      take_errors(in.errors(), read.error(), place("calibration"), "calibration: ");
      complete = false;
    }
  }
  const std::size_t before = in.errors().size();
  s.baseline.cluster.count = in.optional<std::int64_t>("devices", 1);
  if (in.errors().size() == before && (s.baseline.cluster.count < 1 || s.baseline.cluster.count > 1'000'000))
    in.error("devices", "must be 1 to 1000000, is " + std::to_string(s.baseline.cluster.count));
  return complete;
}

/// The settings of the baseline, wherever the file writes them.
std::vector<Edit> read_baseline_settings(Reader& in, Case& baseline) {
  std::vector<Edit> edits;
  const auto read = [&](const std::string& key, const SettingPaths& known, const std::string& prefix) {
    const Document* node = in.raw(key);
    if (node == nullptr) return;
    for (Edit& edit : read_settings(*node, known, key, in.errors())) {
      edit.path = prefix + edit.path;
      if (auto set = set_field(baseline, edit); !set) take_errors(in.errors(), set.error(), edit.where);
      edits.push_back(std::move(edit));
    }
  };
  read("plan", plan_paths(), "");
  read("workload", workload_paths(), "workload.");
  read("serving", serving_paths(), "serving.");
  const bool served = in.raw("traffic") != nullptr;
  for (const char* key : {"prompt_tokens", "output_tokens"}) {
    if (served) break;
    const Document* workload = in.raw("workload");
    const bool is_mapping = workload != nullptr && workload->kind == Document::Kind::mapping;
    const auto says = [&](const Document::Entry& e) { return e.key == key; };
    if (is_mapping && std::none_of(workload->mapping.begin(), workload->mapping.end(), says))
      in.errors().push_back({"workload: missing key \"" + std::string{key} + "\"", workload->where});
  }
  if (served && in.raw("workload") != nullptr)
    in.error("workload", "a static batch and traffic: are two scenarios");
  if (!served && in.raw("serving") != nullptr)
    in.error("serving", "says how traffic: is served; there is none");
  if (!served && in.raw("workload") == nullptr) in.required_mapping("workload");
  if (const auto seed = in.maybe<std::string>("seed"); seed && !seed->empty()) {
    const Edit edit{"draws.seed", *seed, in.raw("seed")->where};
    if (auto set = set_field(baseline, edit); !set) take_errors(in.errors(), set.error(), edit.where);
    edits.push_back(edit);
  }
  return edits;
}

void read_variants(Reader& in, Scenario& s, const PoolContext& pools, bool judge) {
  const Document* list = in.raw("variants");
  if (list == nullptr) return;
  if (list->kind != Document::Kind::sequence) return in.error("variants", "a list is needed");
  std::map<std::string, std::size_t> names;
  for (std::size_t i = 0; i < list->sequence.size(); ++i) {
    Reader one(list->sequence[i], "variants[" + std::to_string(i) + "]", in.errors());
    const auto refuse = [&](const std::string& why) { one.error("name", "\"" + s.variants[i].name + why); };
    s.variants.push_back(read_variant(one, s.baseline, s.pools, pools, judge));
    const std::string& name = s.variants[i].name;
    if (name.empty()) continue;
    if (name == "baseline") refuse("\" is what reports call the scenario without variants");
    if (const auto [first, is_new] = names.emplace(name, i); !is_new)
      refuse("\" is the name of variants[" + std::to_string(first->second) + "] already");
  }
}

}  // namespace

Done set_field(Case& c, const Edit& edit) {
  if (auto set = set_setting(c, edit.path, edit.value); !set)
    return failure(set.error().front().message, edit.where);
  return std::monostate{};
}

std::string device_of(const fs::path& file) {
  const Result<std::string> text = read_file(file);
  if (!text) return "";
  const Result<Document> document = parse_yaml(*text, file.string());
  if (!document) return "";
  for (const Document::Entry& e : document->mapping) {
    if (e.key == "device") return e.value.scalar;
  }
  return "";
}

Result<Scenario> load_scenario(const fs::path& file, const Library& library) {
  const Result<std::string> text = read_file(file);
  if (!text) return failure(text.error());
  const Result<Document> document = parse_yaml(*text, file.string());
  if (!document) return failure(document.error());
  Errors errors;
  Reader in(*document, "", errors);
  Scenario s;
  s.file = file;
  s.name = in.required<std::string>("name");
  s.description = in.optional<std::string>("description", "");
  const bool complete = read_model_and_device(in, s, library);
  if (auto execute = in.maybe_mapping("execute")) read_execute(*execute, s, file.parent_path());
  if (complete && s.backend == "cpu" && s.baseline.cluster.device.kind != DeviceKind::cpu)
    in.error("execute", "backend cpu executes on this machine, but what is predicted is " +
                            s.baseline.cluster.device.name + "; set device: host");
  if (auto engine = in.maybe_mapping("engine")) s.baseline.engine = read_engine(*engine);
  std::optional<TrafficSpec> traffic;
  if (auto section = in.maybe_mapping("traffic")) traffic = read_traffic(*section, file.parent_path());
  if (auto slo = in.maybe_mapping("slo")) {
    s.level = read_service_level(*slo);
    if (!traffic) in.error("slo", "requests of traffic: are judged by it; there is none");
  }
  if (s.durations == StepDurations::reused && !traffic)
    in.error("execute", "durations: steps of traffic: are reused; there is none");
  const std::vector<Edit> edits = read_baseline_settings(in, s.baseline);
  bool judge = complete && errors.empty();
  if (judge) {
    for (Error& e : check_case(s.baseline, edits, in.where())) errors.push_back(std::move(e));
    judge = errors.empty();
  }
  const Document* device = in.raw("device");
  const PoolContext pools{library, file.parent_path(), device != nullptr ? device->scalar : "",
                          traffic.has_value()};
  s.pools = read_pools(in, pools);
  if (judge && errors.empty()) errors = settle_pools(s.pools, s.baseline, edits);
  read_variants(in, s, pools, judge && errors.empty());
  if (auto profile = in.maybe_mapping("profile")) {
    if (judge && errors.empty()) s.profile = read_step_profile(*profile, s.baseline, file.parent_path());
    if (!traffic) in.error("profile", "times steps of traffic:; there is none");
  }
  if (const Document* sweep = in.raw("sweep")) {
    read_sweep(*sweep, s, library, errors);
    const std::vector<Variant> runs = runs_of(s);
    const bool pooled =
        std::any_of(runs.begin(), runs.end(), [](const Variant& v) { return !v.pools.empty(); });
    for (const SweepAxis& axis : s.sweep) {
      const bool of_devices = axis.path == "device", replicas = axis.path == "serving.replicas";
      if (of_devices && in.has("calibration"))
        in.error("calibration", "is of one device; sweep: has several");
      if (pooled && (of_devices || replicas))
        errors.push_back(
            {"sweep." + axis.path + ": pools: have their own; list pools: as variants", axis.where});
    }
  }
  refuse_without_effect(s, traffic, errors);
  if (s.profile) refuse_unprofiled(s, errors);
  in.reject_unknown_keys();
  if (traffic && errors.empty()) {
    if (Result<Traffic> loaded = load_traffic(*traffic, s.baseline.draws.seed); loaded) {
      s.traffic = std::make_shared<const Traffic>(std::move(*loaded));
      s.traffic_spec = std::move(*traffic);
    } else {
      take_errors(errors, loaded.error(), in.raw("traffic")->where, "traffic: ");
    }
  }
  if (!errors.empty()) return failure(std::move(errors));
  if (s.profile) s.calibration.source += "; steps of traffic by " + s.profile->source;
  return s;
}

}  // namespace inferometer
