#include <fmt/format.h>

#include <array>

#include "scenarios/device_file.hpp"
#include "scenarios/files.hpp"
#include "scenarios/yaml_text.hpp"

namespace inferometer {
namespace {

/// With the largest prefix that leaves at least 1 before the point: "4.8 TB/s".
std::string scaled(double value, std::string_view unit) {
  constexpr std::array prefixes{std::pair{1e12, "T"}, std::pair{1e9, "G"}, std::pair{1e6, "M"}};
  for (const auto& [factor, prefix] : prefixes) {
    if (value >= factor) return fmt::format("{:.6g} {}{}", value / factor, prefix, unit);
  }
  return fmt::format("{:.6g} {}", value, unit);
}

std::string text_of(Bytes v) { return fmt::format("{} B", v.value); }
std::string text_of(BytesPerSecond v) { return scaled(v.value, "B/s"); }
std::string text_of(FlopsPerSecond v) { return scaled(v.value, "FLOP/s"); }
std::string text_of(Hertz v) { return fmt::format("{:.6g} GHz", v.value * 1e-9); }
std::string text_of(Watts v) { return fmt::format("{:.6g} W", v.value); }
std::string text_of(DollarsPerHour v) { return fmt::format("{:.6g} $/h", v.value); }
std::string text_of(Seconds v) { return fmt::format("{:.6g} us", v.count() * 1e6); }
std::string text_of(double v) { return fmt::format("{:.6g}", v); }
std::string text_of(std::int64_t v) { return std::to_string(v); }

template <class T>
std::string line(std::string_view key, const Sourced<T>& number) {
  return fmt::format("{}: {{value: {}, source: {}}}\n", key, text_of(number.value),
                     yaml_quoted(number.source));
}
template <class T>
std::string line(std::string_view key, const std::optional<Sourced<T>>& number) {
  return number ? line(key, *number) : "";
}

std::string calibration_text(const Calibration& c, const FitQuality& quality) {
  std::string text = fmt::format(
      "calibration:\n  date: {}\n  machine: {}\n"
      "  median_error_percent: {:.2f}  # |predicted / measured - 1| of the points it was fitted on\n"
      "  p90_error_percent: {:.2f}\n  parameters:\n",
      yaml_quoted(c.date), yaml_quoted(c.machine), 100 * quality.median_error, 100 * quality.p90_error);
  for (const Parameter& p : c.parameters) {
    const std::string doc = p.doc.empty() ? "" : ", doc: " + yaml_quoted(p.doc);
    text += fmt::format("    {}: {{value: {:.6g}, unit: {}{}}}\n", p.name, p.value, yaml_quoted(p.unit), doc);
  }
  return text;
}

}  // namespace

std::string print_device(const DeviceFile& file) {
  const Device& d = file.device;
  const bool calibrated = file.calibration.level != Level::datasheet;
  std::string text =
      calibrated ? "# Written by `inferometer calibrate`. Efficiencies refer to the rates below.\n" : "";
  text += fmt::format("name: {}\ndescription: {}\nkind: {}\n", yaml_quoted(d.name),
                      yaml_quoted(d.description), d.kind == DeviceKind::cpu ? "cpu" : "gpu");
  text += line("memory_capacity", d.memory_capacity);
  text += line("memory_bandwidth", d.memory_bandwidth);
  text += line("cache_capacity", d.cache_capacity);
  text += line("cache_bandwidth", d.cache_bandwidth);
  text += line("cache_retention", d.cache_retention);
  text += line("processors", d.processors);
  text += line("clock", d.clock);
  text += d.matrix.empty() ? "matrix: {}\n" : "matrix:\n";
  for (const auto& [dtype, rate] : d.matrix) text += "  " + line(name(dtype), rate);
  if (d.widens_bf16) text += "widens_bf16: true  # matrices in bf16 are kept and multiplied as f32\n";
  text += line("vector", d.vector);
  text += line("launch", d.launch);
  text += line("host_dispatch", d.host_dispatch);
  text += line("link_bandwidth", d.link_bandwidth);
  text += line("link_latency", d.link_latency);
  text += line("host_link_bandwidth", d.host_link_bandwidth);
  text += line("power", d.power);
  text += line("idle_power", d.idle_power);
  text += line("memory_power", d.memory_power);
  text += line("compute_power", d.compute_power);
  text += line("price", d.price);
  if (calibrated) text += calibration_text(file.calibration, file.quality);
  return text;
}

Done write_calibrated_device(const std::filesystem::path& file, const Device& device,
                             const FitResult& fitted) {
  return write_file(file, print_device({device, fitted.calibration, fitted.quality}));
}

}  // namespace inferometer
