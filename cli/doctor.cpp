#include <fmt/format.h>

#include <cstdlib>

#include "cli/edges.hpp"
#include "scenarios/device_file.hpp"
#include "scenarios/files.hpp"
#include "scenarios/tuning_file.hpp"
#ifdef INFEROMETER_HAS_CPU_BACKEND
#include "executor/cpu/host_device.hpp"
#include "executor/cpu/kernels.hpp"
#include "executor/cpu/onednn.hpp"
#endif
#ifdef INFEROMETER_HAS_CUDA_BACKEND
#include "executor/cuda/cublaslt.hpp"
#include "executor/cuda/cudnn/prompt_attention.hpp"
#include "executor/cuda/product_choice.hpp"
#endif

namespace inferometer {
namespace {

void say(bool good, const std::string& what, const std::string& detail) {
  fmt::print("{:<8} {:<22} {}\n", good ? "ok" : "missing", what, detail);
}

void cpu_backend() {
#ifdef INFEROMETER_HAS_CPU_BACKEND
  say(true, "CPU backend",
      fmt::format("{}, kernels for {}, {} threads, {:.1f} GiB available", cpu::OneDnn::version(),
                  cpu::variants().front().name, cpu::available_threads(),
                  static_cast<double>(cpu::available_memory().value) / (1 << 30)));
  cpu::OneDnn onednn;
  for (const DType dtype : {DType::bf16, DType::int8}) {
    const bool native = onednn.native(dtype);
    say(native, fmt::format("  {} products", name(dtype)),
        native ? "by the processor's own instructions"
               : "right, but slow: this processor has no instructions for them");
  }
#else
  say(false, "CPU backend",
      "oneDNN (libdnnl-dev) and OpenMP were not found when this was built: predictions only");
#endif
}

void cuda_backend([[maybe_unused]] const Context& context) {
#ifdef INFEROMETER_HAS_CUDA_BACKEND
  const std::string missing = cuda::cudnn_missing();
  say(missing.empty(), "cuDNN attention",
      missing.empty() ? "of prompts without history (cudnn-attention), by cuDNN " + cuda::cudnn_version()
                      : "not built: " + missing + "; our own kernels attend all");
  const Result<cuda::Gpu> gpu = cuda::find_gpu(0);
  if (!gpu) return say(false, "CUDA backend", "built, but: " + gpu.error().front().message);
  say(true, "CUDA backend",
      fmt::format(
          "{}, compute capability {}.{}, {} multiprocessors, {:.1f} of {:.1f} GiB available, driver for "
          "CUDA {}, runtime {}",
          gpu->name, gpu->major, gpu->minor, gpu->processors,
          static_cast<double>(gpu->available.value) / (1 << 30),
          static_cast<double>(gpu->memory.value) / (1 << 30), cuda::cuda_version(gpu->driver),
          cuda::cuda_version(gpu->runtime)));
  const std::filesystem::path file = tuning_file("", "cuda:0", context.library);
  const Result<std::string> text = read_file(file);
  const Result<Tuning> tuning = text ? read_tuning(*text, file) : failure(text.error());
  const Errors wrong =
      tuning ? cuda::why_not_tuned(*tuning, *gpu, cuda::CublasLt::version()) : tuning.error();
  say(wrong.empty(), "  tuning",
      wrong.empty() ? fmt::format("{}: {} products, {}", file.string(), tuning->products.size(), tuning->date)
      : text        ? wrong.front().message
                    : "defaults are used; `inferometer tune SCENARIO.yaml` times the alternatives");
  say(gpu->hopper(), "  Hopper kernels",
      gpu->hopper() ? "weight streams and tiled attention" : "portable kernels and cuBLASLt run instead");
#else
  say(false, "CUDA backend",
      "not part of this build: CUDA Toolkit 13 with nvcc, cuBLASLt and CUPTI was not found");
#endif
}

}  // namespace

int doctor_command(const Context& context) {
  const Provenance p = provenance();
  fmt::print("inferometer {} ({}), {}\n{}, {}\n\n", p.version, p.revision, p.compiler, p.machine,
             p.operating_system);
  cpu_backend();
  const Result<DeviceFile> host = find_device("host", context.library);
  say(host.has_value(), "host calibration",
      host ? host->calibration.date + " on " + host->calibration.machine + ", " +
                 (context.library.calibration / "host.yaml").string()
           : "run `inferometer calibrate --backend cpu` (10 s), or let `run` do it");
  cuda_backend(context);
#ifdef INFEROMETER_HAS_SQLITE
  say(true, "store of sweeps", "results.sqlite in the report's folder");
#else
  say(false, "store of sweeps", "SQLite (libsqlite3-dev) was not found when this was built: no sweep:");
#endif
  say(!list_models(context.library).empty(), "presets", context.library.root.string());
  const char* data = std::getenv("INFEROMETER_DATA");
  say(data != nullptr, "validation data",
      data != nullptr ? data
                      : "INFEROMETER_DATA is not set: tests against third parties' measurements are skipped");
  return done;
}

}  // namespace inferometer
