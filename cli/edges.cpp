#include "cli/edges.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <optional>
#include <thread>

#include "executor/weights/checkpoint.hpp"
#include "model/backend.hpp"
#include "scenarios/device_file.hpp"
#ifdef INFEROMETER_HAS_CPU_BACKEND
#include "executor/cpu/cpu_backend.hpp"
#endif
#ifdef INFEROMETER_HAS_CUDA_BACKEND
#include "profiler/cuda_profiler.hpp"
#endif

namespace inferometer {
namespace {

namespace fs = std::filesystem;

/// The value behind "key : value" in a file such as /proc/cpuinfo, empty where there is none.
std::string field_of(const fs::path& file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t colon = line.find_first_of(":=");
    if (colon == std::string::npos) continue;
    const std::size_t start = line.find_first_not_of(" \t\"", colon + 1);
    if (start == std::string::npos) return "";
    std::string value = line.substr(start);
    while (!value.empty() && (value.back() == '"' || value.back() == ' ')) value.pop_back();
    return value;
  }
  return "";
}

}  // namespace

std::optional<int> cuda_device(const std::string& name) {
  constexpr std::string_view prefix = "cuda:";
  int device = -1;
  if (!name.starts_with(prefix)) return std::nullopt;
  const auto [end, error] = std::from_chars(name.data() + prefix.size(), name.data() + name.size(), device);
  return error == std::errc{} && end == name.data() + name.size() && device >= 0 ? std::optional{device}
                                                                                 : std::nullopt;
}

int tell(const Errors& errors, ExitCode code) {
  std::fputs(to_string(errors).c_str(), stderr);
  return code;
}

Progress terminal_progress(const std::string& title) {
  if (isatty(STDERR_FILENO) == 0) return [](const std::string&, double) {};
  return [title](const std::string& what, double fraction) {
    std::fputs(fmt::format("\r\033[K{}: {:3.0f} %  {}{}", title, fraction * 100, what,
                           fraction >= 1 ? "\r\033[K" : "")
                   .c_str(),
               stderr);
    std::fflush(stderr);
  };
}

Library find_library() {
  std::error_code ignored;
  const fs::path installed =
      fs::read_symlink("/proc/self/exe", ignored).parent_path() / "../share/inferometer/scenarios";
  Library library{.root = fs::exists(installed, ignored) ? installed : fs::path{INFEROMETER_SCENARIOS},
                  .calibration = {}};
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  library.calibration = (cache != nullptr && *cache != '\0' ? fs::path{cache}
                         : home != nullptr                  ? fs::path{home} / ".cache"
                                                            : fs::temp_directory_path()) /
                        "inferometer";
  return library;
}

FoundBackend find_backend(const std::string& name, const std::string& weights,
                          [[maybe_unused]] const Tuning& tuning, [[maybe_unused]] bool counters) {
  if (name == "cpu") {
#ifdef INFEROMETER_HAS_CPU_BACKEND
    return {std::make_unique<CpuBackend>(CpuOptions{.threads = 0, .weights = weights}), ""};
#else
    return {nullptr, "this build has no CPU backend: oneDNN was not found when it was configured"};
#endif
  }
  if (const std::optional<int> device = cuda_device(name)) {
#ifdef INFEROMETER_HAS_CUDA_BACKEND
    Result<std::unique_ptr<CudaProfiler>> backend =
        CudaProfiler::open({.device = *device, .weights = weights, .tuning = tuning});
    if (!backend) return {nullptr, backend.error().front().message};
    (*backend)->count(counters);
    const CudaProfiler* profiler = backend->get();
    const cuda::Gpu& gpu = profiler->gpu();
    std::map<std::string, std::string> facts{
        {"GPU", fmt::format("{}, compute capability {}.{}", gpu.name, gpu.major, gpu.minor)},
        {"GPU driver", "CUDA " + cuda::cuda_version(gpu.driver)},
        {"GPU runtime", "CUDA " + cuda::cuda_version(gpu.runtime)}};
    return {.backend = std::move(*backend),
            .why_not = "",
            .facts = std::move(facts),
            .processors = gpu.processors,
            .memory = gpu.memory,
            .why_no_counters = [profiler] { return profiler->why_no_counters(); }};
#else
    return {nullptr, "no CUDA device: this build has no CUDA backend"};
#endif
  }
  return {nullptr, "unknown backend \"" + name + "\"; expected cpu or cuda:N"};
}

Errors check_weights(const std::string& weights, const Case& c) {
  if (weights.empty()) return {};
  const Result<Checkpoint> checkpoint = Checkpoint::open(weights);
  if (!checkpoint) return checkpoint.error();
  const Result<Structure> structure = compile(c.model(), c.plan);
  return structure ? checkpoint->check(*structure) : structure.error();
}

Provenance provenance() {
  Provenance p;
  p.version = INFEROMETER_VERSION;
  p.revision = INFEROMETER_REVISION;
  const std::string cpu = field_of("/proc/cpuinfo", "model name");
  p.machine = fmt::format("{}, {} threads", cpu.empty() ? "unknown processor" : cpu,
                          std::thread::hardware_concurrency());
  utsname system{};
  const bool known = uname(&system) == 0;
  p.operating_system =
      field_of("/etc/os-release", "PRETTY_NAME") + (known ? std::string{", Linux "} + system.release : "");
#ifdef __clang__
  p.compiler = "clang " __clang_version__;
#else
  p.compiler = "g++ " __VERSION__;
#endif
  p.date = fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(std::time(nullptr)));
  return p;
}

Result<Device> device_or_calibrate(const Context& context, const std::string& name) {
  if (name != "host") return load_device(name, context.library);
  const bool there = fs::exists(context.library.calibration / "host.yaml");
  const Result<DeviceFile> file = find_device(name, context.library);
  if (there && !file) {
    Errors why = file.error();
    why.push_back({"device host: `inferometer calibrate` measures this machine anew"});
    return failure(std::move(why));
  }
#ifdef INFEROMETER_HAS_CPU_BACKEND
  const bool outdated = there && !file->device.cache_retention;
#else
  const bool outdated = false;  // nothing here could measure it
#endif
  if (there && !outdated && file->quality.median_error <= poor_fit) return file->device;
  std::fputs(
      outdated
          ? "the calibration of this host is by an earlier version, which did not measure what its cache "
            "retains: making a quick one (inferometer calibrate makes a better one)\n"
      : there
          ? "the calibration of this host fits badly, it was made while something else ran: making another\n"
          : "no calibration of this host yet: making a quick one (inferometer calibrate makes a better "
            "one)\n",
      stderr);
  if (const int code = calibrate_command(Context{context.library, false}, {.backend = "cpu", .seconds = 4});
      code != done) {
    return failure("device host: the quick calibration failed; see above");
  }
  return load_device(name, context.library);
}

}  // namespace inferometer
