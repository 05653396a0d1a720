#include "scenarios/device_file.hpp"

#include <fmt/format.h>

#include "model/reader.hpp"
#include "model/seeded.hpp"
#include "scenarios/read_parameters.hpp"
#include "scenarios/yaml_document.hpp"

namespace inferometer {
namespace {

double plain(double v) { return v; }
double plain(std::int64_t v) { return static_cast<double>(v); }
double plain(Seconds v) { return v.count(); }
template <class Tag, class Rep>
double plain(Quantity<Tag, Rep> v) {
  return static_cast<double>(v.value);
}

/// {value: 4.8 TB/s, source: "data sheet"}. least: rates and sizes must be above 0, durations and shares may
/// be 0.
template <class T>
Sourced<T> read_sourced(Reader& above, const std::string& key) {
  if (const Document* d = above.raw(key); d != nullptr && d->kind == Document::Kind::scalar) {
    above.error(key, "a number and its source are needed: {value: " + d->scalar + ", source: \"...\"}");
    return {};
  }
  const bool missing = !above.has(key);
  Reader in = above.required_mapping(key);
  if (missing) return {};
  const std::size_t before = in.errors().size();
  Sourced<T> number{in.required<T>("value"), in.required<std::string>("source")};
  constexpr bool may_be_zero = std::is_same_v<T, Seconds> || std::is_same_v<T, double>;
  if (in.errors().size() == before && (may_be_zero ? plain(number.value) < 0 : plain(number.value) <= 0))
    in.error("value", may_be_zero ? "must not be negative" : "must be positive");
  in.reject_unknown_keys();
  return number;
}
template <class T>
std::optional<Sourced<T>> maybe_sourced(Reader& in, const std::string& key) {
  return in.has(key) ? std::optional{read_sourced<T>(in, key)} : (in.raw(key), std::nullopt);
}

DeviceKind read_kind(Reader& in) {
  const std::string kind = in.required<std::string>("kind");
  if (!kind.empty() && kind != "gpu" && kind != "cpu") in.error("kind", "\"" + kind + "\" is not gpu or cpu");
  return kind == "cpu" ? DeviceKind::cpu : DeviceKind::gpu;
}

std::map<DType, Sourced<FlopsPerSecond>> read_matrix(Reader in) {
  std::map<DType, Sourced<FlopsPerSecond>> rates;
  for (const DTypeInfo& dtype : dtypes) {
    if (auto rate = maybe_sourced<FlopsPerSecond>(in, std::string{dtype.name})) rates[dtype.dtype] = *rate;
  }
  in.reject_unknown_keys();
  return rates;
}

std::optional<Sourced<double>> maybe_share(Reader& in, const std::string& key) {
  const auto share = maybe_sourced<double>(in, key);
  if (share && share->value > 1) in.error(key, fmt::format("must be a share, 0 to 1, is {}", share->value));
  return share;
}

Device read_device_keys(Reader& in) {
  return {.name = in.required<std::string>("name"),
          .description = in.required<std::string>("description"),
          .kind = read_kind(in),
          .memory_capacity = read_sourced<Bytes>(in, "memory_capacity"),
          .memory_bandwidth = read_sourced<BytesPerSecond>(in, "memory_bandwidth"),
          .cache_capacity = read_sourced<Bytes>(in, "cache_capacity"),
          .cache_bandwidth = read_sourced<BytesPerSecond>(in, "cache_bandwidth"),
          .cache_retention = maybe_share(in, "cache_retention"),
          .processors = read_sourced<std::int64_t>(in, "processors"),
          .clock = read_sourced<Hertz>(in, "clock"),
          .matrix = read_matrix(in.required_mapping("matrix")),
          .widens_bf16 = in.optional<bool>("widens_bf16", false),
          .vector = read_sourced<FlopsPerSecond>(in, "vector"),
          .launch = read_sourced<Seconds>(in, "launch"),
          .host_dispatch = read_sourced<Seconds>(in, "host_dispatch"),
          .link_bandwidth = maybe_sourced<BytesPerSecond>(in, "link_bandwidth"),
          .link_latency = maybe_sourced<Seconds>(in, "link_latency"),
          .host_link_bandwidth = maybe_sourced<BytesPerSecond>(in, "host_link_bandwidth"),
          .power = maybe_sourced<Watts>(in, "power"),
          .idle_power = maybe_sourced<Watts>(in, "idle_power"),
          .memory_power = maybe_sourced<Watts>(in, "memory_power"),
          .compute_power = maybe_sourced<Watts>(in, "compute_power"),
          .price = maybe_sourced<DollarsPerHour>(in, "price")};
}

void read_calibration(Reader in, DeviceFile& file) {
  Calibration& c = file.calibration;
  c.level = Level::calibrated;
  c.date = in.required<std::string>("date");
  c.machine = in.required<std::string>("machine");
  file.quality = {.median_error = in.required<double>("median_error_percent") / 100,
                  .p90_error = in.required<double>("p90_error_percent") / 100};
  c.parameters = read_parameters(in.required_mapping("parameters"));
  in.reject_unknown_keys();
}

}  // namespace

Result<DeviceFile> read_device(const std::string& text, const std::filesystem::path& file) {
  const Result<Document> document = parse_yaml(text, file.string());
  if (!document) return failure(document.error());
  Errors errors;
  Reader in(*document, "", errors);
  DeviceFile result{.device = read_device_keys(in), .calibration = {}, .quality = {}};
  if (result.device.widens_bf16 && result.device.kind != DeviceKind::cpu)
    in.error("widens_bf16", "is of processors only: kind is gpu");
  if (result.device.cache_retention && result.device.kind != DeviceKind::cpu)
    in.error("cache_retention", "is of processors only: kind is gpu");
  result.calibration.device = result.device.name;
  result.calibration.source = "none: generic parameters";
  if (auto calibration = in.maybe_mapping("calibration")) {
    read_calibration(*calibration, result);
    result.calibration.source =
        fmt::format("{} (hash {:016x}, median error of its own points {:.1f} %)", file.string(),
                    tensor_key(0, text), 100 * result.quality.median_error);
  }
  in.reject_unknown_keys();
  if (!errors.empty()) return failure(std::move(errors));
  return result;
}

}  // namespace inferometer
