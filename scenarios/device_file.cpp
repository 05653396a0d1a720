#include "scenarios/device_file.hpp"

#include <fmt/format.h>

#include "model/reader.hpp"
#include "model/seeded.hpp"
#include "scenarios/files.hpp"
#include "scenarios/yaml_document.hpp"

namespace inferometer {
namespace {

namespace fs = std::filesystem;

template <class T>
Sourced<T> read_sourced(Reader in) {
  Sourced<T> number{in.required<T>("value"), in.required<std::string>("source")};
  in.reject_unknown_keys();
  return number;
}
template <class T>
Sourced<T> required(Reader& in, std::string_view key) {
  return read_sourced<T>(in.required_mapping(key));
}
template <class T>
std::optional<Sourced<T>> maybe(Reader& in, std::string_view key) {
  auto found = in.maybe_mapping(key);
  return found ? std::optional{read_sourced<T>(*found)} : std::nullopt;
}

Device read_device_keys(Reader& in) {
  Device d;
  d.name = in.required<std::string>("name");
  d.description = in.required<std::string>("description");
  const std::string kind = in.required<std::string>("kind");
  if (kind != "gpu" && kind != "cpu") in.error("kind", "\"" + kind + "\" is not gpu or cpu");
  d.kind = kind == "cpu" ? DeviceKind::cpu : DeviceKind::gpu;
  d.memory_capacity = required<Bytes>(in, "memory_capacity");
  d.memory_bandwidth = required<BytesPerSecond>(in, "memory_bandwidth");
  d.cache_capacity = required<Bytes>(in, "cache_capacity");
  d.cache_bandwidth = required<BytesPerSecond>(in, "cache_bandwidth");
  d.processors = required<std::int64_t>(in, "processors");
  d.clock = required<Hertz>(in, "clock");
  Reader matrix = in.required_mapping("matrix");
  for (const DTypeInfo& info : dtypes) {
    if (auto rate = maybe<FlopsPerSecond>(matrix, info.name)) d.matrix[info.dtype] = *rate;
  }
  matrix.reject_unknown_keys();
  d.vector = required<FlopsPerSecond>(in, "vector");
  d.launch = required<Seconds>(in, "launch");
  d.host_dispatch = required<Seconds>(in, "host_dispatch");
  d.link_bandwidth = maybe<BytesPerSecond>(in, "link_bandwidth");
  d.link_latency = maybe<Seconds>(in, "link_latency");
  d.host_link_bandwidth = maybe<BytesPerSecond>(in, "host_link_bandwidth");
  d.power = maybe<Watts>(in, "power");
  const auto positive = [&](std::string_view key, double value) {
    if (in.has(key) && !(value > 0)) in.error(key, "must be positive");
  };
  positive("memory_bandwidth", d.memory_bandwidth.value.value);
  positive("cache_bandwidth", d.cache_bandwidth.value.value);
  positive("vector", d.vector.value.value);
  positive("memory_capacity", static_cast<double>(d.memory_capacity.value.value));
  positive("processors", static_cast<double>(d.processors.value));
  return d;
}

Calibration read_calibration(Reader in, const Device& device) {
  Calibration c{.level = Level::calibrated, .device = device.name};
  c.date = in.required<std::string>("date");
  c.machine = in.required<std::string>("machine");
  in.required<double>("median_error_percent");
  in.required<double>("p90_error_percent");
  Reader parameters = in.required_mapping("parameters");
  for (const std::string& name : parameters.keys()) {
    Reader one = parameters.required_mapping(name);
    c.parameters.push_back({name, one.required<double>("value"), one.required<std::string>("unit"),
                            one.optional<std::string>("doc", "")});
    one.reject_unknown_keys();
  }
  in.reject_unknown_keys();
  return c;
}

std::string print_quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

}  // namespace

Result<DeviceFile> read_device(const std::string& text, const fs::path& file) {
  const Result<Document> document = parse_yaml(text, file.string());
  if (!document) return failure(document.error());
  Errors errors;
  Reader in(*document, "", errors);
  DeviceFile result{read_device_keys(in), {}};
  result.calibration.device = result.device.name;
  result.calibration.source = "none: generic parameters";
  if (auto calibration = in.maybe_mapping("calibration")) {
    result.calibration = read_calibration(*calibration, result.device);
    result.calibration.source = fmt::format("{} (hash {:016x})", file.string(), tensor_key(0, text));
  }
  in.reject_unknown_keys();
  if (!errors.empty()) return failure(std::move(errors));
  return result;
}

std::string print_device(const DeviceFile& file, const FitQuality& quality) {
  const Device& d = file.device;
  std::string text = "# Written by `inferometer calibrate`. Efficiencies refer to the peaks below.\n";
  const auto line = [&](std::string_view key, const std::string& value, const std::string& source,
                        int indent = 0) {
    text += fmt::format("{:{}}{}: {{value: {}, source: {}}}\n", "", indent, key, value, print_quoted(source));
  };
  text += fmt::format("name: {}\ndescription: {}\nkind: {}\n", d.name, print_quoted(d.description),
                      d.kind == DeviceKind::cpu ? "cpu" : "gpu");
  line("memory_capacity", fmt::format("{} B", d.memory_capacity.value.value), d.memory_capacity.source);
  line("memory_bandwidth", fmt::format("{:.4g} GB/s", d.memory_bandwidth.value.value * 1e-9),
       d.memory_bandwidth.source);
  line("cache_capacity", fmt::format("{} B", d.cache_capacity.value.value), d.cache_capacity.source);
  line("cache_bandwidth", fmt::format("{:.4g} GB/s", d.cache_bandwidth.value.value * 1e-9),
       d.cache_bandwidth.source);
  line("processors", std::to_string(d.processors.value), d.processors.source);
  line("clock", fmt::format("{:.4g} GHz", d.clock.value.value * 1e-9), d.clock.source);
  text += "matrix:\n";
  for (const auto& [dtype, rate] : d.matrix)
    line(name(dtype), fmt::format("{:.4g} GFLOP/s", rate.value.value * 1e-9), rate.source, 2);
  line("vector", fmt::format("{:.4g} GFLOP/s", d.vector.value.value * 1e-9), d.vector.source);
  line("launch", fmt::format("{:.4g} us", d.launch.value.count() * 1e6), d.launch.source);
  line("host_dispatch", fmt::format("{:.4g} us", d.host_dispatch.value.count() * 1e6),
       d.host_dispatch.source);
  const Calibration& c = file.calibration;
  text += fmt::format(
      "calibration:\n  date: {}\n  machine: {}\n  median_error_percent: {:.2f}  # of the points it was "
      "fitted on\n"
      "  p90_error_percent: {:.2f}\n  parameters:\n",
      print_quoted(c.date), print_quoted(c.machine), 100 * quality.median_error, 100 * quality.p90_error);
  for (const Parameter& p : c.parameters) {
    text += fmt::format("    {}: {{value: {:.5g}, unit: {}, doc: {}}}\n", p.name, p.value,
                        print_quoted(p.unit), print_quoted(p.doc));
  }
  return text;
}

Result<DeviceFile> find_device(const std::string& name, const Library& library, const Location& where) {
  fs::path file = library.root / "devices" / (name + ".yaml");
  std::error_code ignored;
  if (name == "host") {
    file = library.calibration / "host.yaml";
    if (!fs::exists(file, ignored)) {
      return failure("device host: this machine is not calibrated; run `inferometer calibrate --backend cpu`",
                     where);
    }
  } else if (!fs::exists(file, ignored)) {
    if (name.find('/') == std::string::npos && !name.ends_with(".yaml")) {
      std::vector<std::string> known = list_devices(library);
      std::string all;
      for (const std::string& k : known) all += (all.empty() ? "" : ", ") + k;
      const std::string near = nearest(name, known);
      return failure("unknown device \"" + name + "\"" +
                         (near.empty() ? "" : "; did you mean \"" + near + "\"?") + " (known: " + all + ")",
                     where);
    }
    file = name;
  }
  const Result<std::string> text = read_file(file, where);
  if (!text) return failure(text.error());
  return read_device(*text, file);
}

}  // namespace inferometer
