// What whole steps take on this GPU, beside the least that its bandwidth and matrix units allow, and beside a
// peer measured on the same machine.
//
//   gpu_table [PEER.json|"" [ROWS]]     PEER.json: {"table": [{"model", "phase", "b", "s", "us"}, ...]}
//                                       ROWS: only those whose "model format phase batch" has this in it
//
// Ceilings are measured first: reading and copying 4 GiB, and bf16 products after two seconds of load. A
// step's floor is the sum over its operators of max(bytes / read bandwidth, FLOPs / matrix rate at its rows).
// Then the products of each row's step are tuned as `inferometer tune` does it, in about two seconds a row;
// where something is faster than the default choices, the row is timed with those and with what was found.
// What is judged is the faster of the two: alone, a product does not show what its neighbours in a step hide.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "executor/cuda/cublaslt.hpp"
#include "executor/cuda/cuda_backend.hpp"
#include "executor/cuda/kernels/ceilings.hpp"
#include "executor/cuda/kernels/copy.hpp"
#include "executor/cuda/kernels/packing.hpp"
#include "executor/cuda/tune.hpp"
#include "model/launch.hpp"
#include "model/nearest_rank.hpp"
#include "model/optimizations.hpp"
#include "roofline/work.hpp"
#include "scenarios/scenario.hpp"
#include "scenarios/study.hpp"

namespace inferometer {
namespace {

struct Row {
  std::string_view model, peer, format, phase;
  std::int64_t batch, context;
  double must, goal;
  bool of_floor = false;  ///< must and goal are multiples of the floor
};
// Context of a decode step, prompt of a prefill. What is aimed for: milliseconds on an H200 that reads 4.2
// TB/s.
constexpr Row rows[] = {
    {"llama-3.1-8b", "llama3-8b", "bf16", "decode", 1, 512, 4.1, 3.85},
    {"llama-3.1-8b", "llama3-8b", "bf16", "decode", 32, 2048, 6.5, 6.2},
    {"llama-3.1-8b", "llama3-8b", "bf16", "decode", 64, 1024, 6.5, 6.2},
    {"llama-3.1-8b", "llama3-8b", "bf16", "decode", 256, 512, 11.1, 10.4},
    {"llama-3.2-1b", "llama3.2-1b", "bf16", "decode", 1, 512, 0.85, 0.75},
    {"llama-3.1-8b", "llama3-8b", "bf16", "prefill", 1, 2048, 45, 42},
    {"llama-3.1-8b", "llama3-8b", "bf16", "prefill", 8, 2048, 380, 360},
    {"llama-3.1-8b", "", "fp8", "decode", 1, 512, 2.5, 2.2},
    {"llama-3.1-8b", "", "fp8", "prefill", 1, 2048, 28.5, 26},
    {"llama-3.1-8b", "", "w4a16", "decode", 1, 512, 1.7, 1.4},
    {"llama-3.1-8b", "", "w4a16", "decode", 16, 512, 2.3, 1.8},
    {"mixtral-8x7b", "", "fp8", "decode", 1, 512, 1.5, 1.25, true},
    {"mixtral-8x7b", "", "fp8", "decode", 32, 512, 1.5, 1.25, true},
};

/// Median seconds of f by events, after a first run.
template <class F>
double seconds_of(int repeats, F f) {
  cudaEvent_t start = nullptr, end = nullptr;
  cudaEventCreate(&start);
  cudaEventCreate(&end);
  std::vector<double> times;
  for (int i = 0; i <= repeats; ++i) {
    cudaEventRecord(start);
    f();
    cudaEventRecord(end);
    cudaEventSynchronize(end);
    float ms = 0;
    cudaEventElapsedTime(&ms, start, end);
    if (i > 0) times.push_back(ms * 1e-3);
  }
  cudaEventDestroy(start);
  cudaEventDestroy(end);
  return nearest_rank(std::move(times), 0.5);
}

struct Ceilings {
  double read = 0;
  double copy = 0, kernel_copy = 0;                   ///< the driver's and ours, counted twice
  std::map<std::int64_t, double> matrix, matrix_fp8;  ///< rows -> [FLOP/s]
  /// Of the fewest rows measured that are at least as many.
  double rate(const Work& work) const {
    const auto& rates = work.product && work.dtype == DType::fp8 ? matrix_fp8 : matrix;
    const auto it = work.product ? rates.lower_bound(work.m) : rates.end();
    return it == rates.end() ? rates.rbegin()->second : it->second;
  }
};

/// Of a product of `tokens` rows by 28672 x 4096 weights after two seconds of load [FLOP/s].
double matrix_rate(std::int64_t tokens, bool fp8) {
  constexpr std::int64_t in = 4096, out = 28672;
  auto x = cuda::DeviceBuffer::of(Bytes{tokens * in * 2}), w = cuda::DeviceBuffer::of(Bytes{out * in * 2}),
       q = cuda::DeviceBuffer::of(Bytes{(tokens + out) * in}), scales = cuda::DeviceBuffer::of(Bytes{512}),
       y = cuda::DeviceBuffer::of(Bytes{tokens * out * 2});
  auto lt = cuda::CublasLt::open();
  require(x && w && q && scales && y && lt, "memory for the ceilings");
  cuda::fill_seeded({.out = x->data(), .count = tokens, .columns = in, .key = 1}, {});
  cuda::fill_seeded({.out = w->data(), .count = out, .columns = in, .key = 2, .size = 0.01F}, {});
  cuda::Product product{.x = x->data(),
                        .w = w->data(),
                        .y = y->data(),
                        .tokens = tokens,
                        .in = in,
                        .out = out,
                        .x_stride = in,
                        .y_stride = out};
  if (fp8) {
    auto* to = reinterpret_cast<std::uint8_t*>(q->data());
    auto* scale = reinterpret_cast<float*>(scales->data());
    cuda::quantize_fp8_weight({reinterpret_cast<const cuda::Bf16*>(x->data()), to, scale, tokens * in}, {});
    cuda::quantize_fp8_weight(
        {reinterpret_cast<const cuda::Bf16*>(w->data()), to + tokens * in, scale + 64, out * in}, {});
    product.x = to;
    product.w = to + tokens * in;
    product.x_scale = scale;
    product.w_scale = scale + 64;
  }
  const auto multiply = [&] { require(lt->multiply(product, nullptr).has_value(), "a product"); };
  const double once = seconds_of(3, multiply);
  seconds_of(static_cast<int>(2 / once) + 1, multiply);
  return 2.0 * static_cast<double>(tokens * in * out) / seconds_of(20, multiply);
}

Ceilings measure_ceilings(const cuda::Gpu& gpu) {
  Ceilings c;
  constexpr std::int64_t bytes = std::int64_t{4} << 30;
  {
    auto a = cuda::DeviceBuffer::of(Bytes{bytes}), b = cuda::DeviceBuffer::of(Bytes{bytes});
    require(a && b, "memory for the ceilings");
    cuda::fill_seeded({.out = a->data(), .count = bytes / 8192, .columns = 4096, .key = 3}, {});
    c.copy = 2 * bytes /
             seconds_of(10, [&] { cudaMemcpyAsync(b->data(), a->data(), bytes, cudaMemcpyDeviceToDevice); });
    c.kernel_copy = 2 * bytes / seconds_of(10, [&] {
                      cuda::copy_within_device(a->data(), b->data(), bytes,
                                               {.stream = nullptr, .processors = gpu.processors});
                    });
    c.read = bytes / seconds_of(10, [&] {
               cuda::read_all(a->data(), bytes, b->data(), {.stream = nullptr, .processors = gpu.processors});
             });
  }
  for (const std::int64_t tokens : {64, 256, 2048, 16384}) {
    c.matrix[tokens] = matrix_rate(tokens, false);
    c.matrix_fp8[tokens] = matrix_rate(tokens, true);
  }
  return c;
}

Case case_of(const Row& row, const Architecture& model, const Device& device) {
  const bool decode = row.phase == "decode";
  Case c;
  c.models["model"] = model;
  c.cluster.device = device;
  c.workload = {.batch = row.batch,
                .prompt_tokens = decode ? row.context - 8 : row.context,
                .output_tokens = decode ? 17 : 1};
  c.plan.fusion = {.qkv = true,
                   .gate_up = true,
                   .residual_norm = true,
                   .rope_kv = true,
                   .rope_attention = true,
                   .norm_product = true,
                   .norm_epilogue = true,
                   .gated_epilogue = true,
                   .quantize = true,
                   .norm_router = true,
                   .experts = true};
  c.plan.fusion.residual_product = !decode;  // one token takes longer with it
  c.plan.fusion.early_gather = !decode && !model.is_sparse(model.layers - 1);
  c.plan.kv.block_tokens = decode ? 16 : 64;
  c.plan.launch = {.graphs = true, .batch_buckets = {}, .overlap = true};
  if (row.format != "bf16") {
    const auto set = apply(c, {std::string{row.format}});
    require(set.has_value(), "an optimization of that name");
  }
  return c;
}

double floor_of(const Graph& graph, const Ceilings& ceilings) {
  double sum = 0;
  for (std::size_t v = 0; v < num_vertices(graph); ++v) {
    const Work work = work_of(graph[v].op);
    sum += std::max(static_cast<double>(work.compulsory().value) / ceilings.read,
                    static_cast<double>(work.flops.value) / ceilings.rate(work));
  }
  return sum;
}

struct Measured {
  double floor = 0, median = 0, low = 0, high = 0;  ///< [s]
  double planned_gib = 0, used_gib = 0;
};

/// Until the medians of the first and the second half agree to half a per cent; decode steps after a second
/// of them.
Result<Measured> measure(const Row& row, const Case& c, const Tuning& tuning, const Ceilings& ceilings) {
  const auto opened = CudaBackend::open({.tuning = tuning});
  if (!opened) return failure(opened.error());
  CudaBackend& backend = **opened;
  const auto structure = compile(c.model(), c.plan);
  if (!structure) return failure(structure.error());
  const auto used = backend.prepare(c, *structure);
  if (!used) return failure(used.error());
  std::vector<Step> steps = workload_steps(c);
  const std::size_t first = row.phase == "decode" ? 1 : 0, last = row.phase == "decode" ? steps.size() : 1;
  const auto timer = backend.timer();
  std::vector<double> times;
  const auto run = [&](std::size_t i) -> Done {
    for (std::size_t s = 0; s < steps[i].slices.size(); ++s) {
      if (steps[i].slices[s].tokens.empty()) steps[i].slices[s].tokens = {backend.output().tokens[s]};
    }
    const auto time = timer->time(steps[i]);
    if (!time) return failure(time.error());
    times.push_back(std::chrono::duration<double>(*time).count());
    return std::monostate{};
  };
  const auto pass_over = [&]() -> Done {
    for (std::size_t i = first; i < last; ++i) {
      if (const Done done = run(i); !done) return done;
    }
    return std::monostate{};
  };
  const std::size_t warm = std::max<std::size_t>(3, last);
  for (std::size_t i = 0; i < warm; ++i) {
    if (const Done done = run(std::min(i, last - 1)); !done) return failure(done.error());
  }
  // The prompts that fill its cache, which are no part of a decode step, leave the GPU at its limit of power.
  using Clock = std::chrono::steady_clock;
  for (const auto start = Clock::now(); first > 0 && Clock::now() - start < std::chrono::seconds{1};) {
    if (const Done done = pass_over(); !done) return failure(done.error());
  }
  times.clear();
  for (int pass = 0; pass < 12; ++pass) {
    if (const Done done = pass_over(); !done) return failure(done.error());
    const auto half = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
    if (times.size() < 8) continue;
    const double a = nearest_rank({times.begin(), half}, 0.5), b = nearest_rank({half, times.end()}, 0.5);
    if (std::abs(a - b) < 0.005 * a) break;
  }
  const Graph graph = bind(*structure, features(steps[(first + last) / 2]));
  std::sort(times.begin(), times.end());
  const MemoryUse planned = memory_budget(c, *structure);
  const auto gib = [](Bytes b) { return static_cast<double>(b.value) / (1 << 30); };
  return Measured{floor_of(graph, ceilings),    times[times.size() / 2], times[times.size() / 10],
                  times[times.size() * 9 / 10], gib(planned.total()),    gib(used->total())};
}

struct Tuned {
  Tuning tuning;
  std::size_t tried = 0;
};

/// The products of the step that a row times.
Result<Tuned> tune(const Row& row, const Case& c, const cuda::Gpu& gpu) {
  const auto structure = compile(c.model(), c.plan);
  if (!structure) return failure(structure.error());
  const std::vector<Step> steps = workload_steps(c);
  const Features run = padded(features(steps[row.phase == "decode" ? 1 : 0]), c.plan);
  Tuned t{.tuning = {.gpu = gpu.name, .cublaslt = cuda::CublasLt::version(), .source = "this table"}};
  for (const ProductShape& shape : product_shapes(*structure, run)) {
    const auto trial =
        cuda::tune_product(shape, gpu, {.overlap = c.plan.launch.overlap, .budget = Seconds{0.3}});
    if (!trial) return failure(trial.error());
    if (trial->better) t.tuning.products[shape] = trial->best;
    ++t.tried;
  }
  return t;
}

double peer_ms(const nlohmann::json& peer, const Row& row) {
  if (!peer.contains("table")) return 0;
  for (const auto& p : peer["table"]) {
    if (p.value("model", "") == row.peer && p.value("phase", "") == row.phase &&
        p.value("b", 0) == row.batch && p.value("s", 0) == row.context)
      return p.value("us", 0.0) * 1e-3;
  }
  return 0;
}

int table(const char* peer_file, std::string_view only) {
  nlohmann::json peer = nlohmann::json::object();
  if (peer_file != nullptr) {
    std::ifstream in(peer_file);
    peer = nlohmann::json::parse(in, nullptr, false);
    if (peer.is_discarded()) return fmt::print(stderr, "{}: not readable as JSON\n", peer_file), 2;
  }
  const Result<cuda::Gpu> gpu = cuda::find_gpu(0);
  if (!gpu) return fmt::print(stderr, "{}", to_string(gpu.error())), 1;
  const Ceilings ceilings = measure_ceilings(*gpu);
  fmt::print("{}: read {:.2f} TB/s, copy {:.2f} TB/s (read and written; our kernel {:.2f})", gpu->name,
             ceilings.read * 1e-12, ceilings.copy * 1e-12, ceilings.kernel_copy * 1e-12);
  for (const auto& [tokens, rate] : ceilings.matrix)
    fmt::print(", bf16 {:.0f} and fp8 {:.0f} TFLOP/s at {} rows", rate * 1e-12,
               ceilings.matrix_fp8.at(tokens) * 1e-12, tokens);
  fmt::print(
      "\n\n{:<14} {:<6} {:<8} {:>5} {:>7} {:>9} {:>5} {:>10} {:>9} {:>17} {:>7} {:>15} {:>9} {:>6} {:>13}\n",
      "model", "format", "phase", "batch", "context", "floor ms", "tuned", "untuned ms", "tuned ms",
      "p10 - p90 ms", "/ floor", "must, goal ms", "peer ms", "/ peer", "memory used");
  const Library library{.root = INFEROMETER_SOURCE "/scenarios", .calibration = {}};
  const auto device = load_device("h200-sxm", library);
  if (!device) return fmt::print(stderr, "{}", to_string(device.error())), 1;
  bool all = true;
  for (const Row& row : rows) {
    if (fmt::format("{} {} {} {}", row.model, row.format, row.phase, row.batch).find(only) ==
        std::string::npos)
      continue;
    const auto model = load_model(std::string{row.model}, library);
    if (!model) return fmt::print(stderr, "{}", to_string(model.error())), 1;
    const Case c = case_of(row, *model, *device);
    const auto tuned = tune(row, c, *gpu);
    if (!tuned) return fmt::print(stderr, "{}", to_string(tuned.error())), 1;
    const std::size_t better = tuned->tuning.products.size();
    const auto untuned = measure(row, c, {}, ceilings);
    if (!untuned) return fmt::print(stderr, "{}", to_string(untuned.error())), 1;
    const auto with = better > 0 ? measure(row, c, tuned->tuning, ceilings) : untuned;
    if (!with) return fmt::print(stderr, "{}", to_string(with.error())), 1;
    const auto& m = with->median < untuned->median ? with : untuned;
    const double ms = m->median * 1e3, theirs = peer_ms(peer, row);
    const double unit = row.of_floor ? m->floor * 1e3 : 1, must = row.must * unit, goal = row.goal * unit;
    all = all && ms <= must;
    fmt::print(
        "{:<14} {:<6} {:<8} {:>5} {:>7} {:>9.3f} {:>5} {:>10.3f} {:>9.3f} {:>8.3f} - {:>6.3f} {:>7.3f} "
        "{:>6.2f}, {:>5.2f}{} "
        "{:>9} "
        "{:>6} {:>5.1f} of {:>5.1f}\n",
        row.model, row.format, row.phase, row.batch, row.context, m->floor * 1e3,
        fmt::format("{}/{}", better, tuned->tried), untuned->median * 1e3, with->median * 1e3, m->low * 1e3,
        m->high * 1e3, m->median / m->floor, must, goal,
        ms <= goal   ? "++"
        : ms <= must ? "+ "
                     : "- ",
        theirs > 0 ? fmt::format("{:.3f}", theirs) : "-",
        theirs > 0 ? fmt::format("{:.2f}", ms / theirs) : "-", m->used_gib, m->planned_gib);
    std::fflush(stdout);
  }
  return all ? 0 : 1;
}

}  // namespace
}  // namespace inferometer

int main(int argc, char** argv) {
  const bool peer = argc > 1 && *argv[1] != 0;
  return inferometer::table(peer ? argv[1] : nullptr, argc > 2 ? argv[2] : "");
}
