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
#include <fstream>
#include <nlohmann/json.hpp>

#include "executor/cuda/tune.hpp"
#include "scenarios/scenario.hpp"
#include "tests/bench/gpu_ceilings.hpp"
#include "tests/bench/gpu_step.hpp"

namespace inferometer {
namespace {

struct Row {
  std::string_view model, peer;
  StepKind step;
  double must, goal;
  bool of_floor = false;  ///< must and goal are multiples of the floor
};
// Context of a decode step, prompt of a prefill. What is aimed for: milliseconds on an H200 that reads 4.2
// TB/s.
constexpr Row rows[] = {
    {"llama-3.1-8b", "llama3-8b", {"bf16", "decode", 1, 512}, 4.1, 3.85},
    {"llama-3.1-8b", "llama3-8b", {"bf16", "decode", 32, 2048}, 6.5, 6.2},
    {"llama-3.1-8b", "llama3-8b", {"bf16", "decode", 64, 1024}, 6.5, 6.2},
    {"llama-3.1-8b", "llama3-8b", {"bf16", "decode", 256, 512}, 11.1, 10.4},
    {"llama-3.2-1b", "llama3.2-1b", {"bf16", "decode", 1, 512}, 0.85, 0.75},
    {"llama-3.1-8b", "llama3-8b", {"bf16", "prefill", 1, 2048}, 45, 42},
    {"llama-3.1-8b", "llama3-8b", {"bf16", "prefill", 8, 2048}, 380, 360},
    {"llama-3.1-8b", "", {"fp8", "decode", 1, 512}, 2.5, 2.2},
    {"llama-3.1-8b", "", {"fp8", "prefill", 1, 2048}, 28.5, 26},
    {"llama-3.1-8b", "", {"w4a16", "decode", 1, 512}, 1.7, 1.4},
    {"llama-3.1-8b", "", {"w4a16", "decode", 16, 512}, 2.3, 1.8},
    {"mixtral-8x7b", "", {"fp8", "decode", 1, 512}, 1.5, 1.25, true},
    {"mixtral-8x7b", "", {"fp8", "decode", 32, 512}, 1.5, 1.25, true},
};

/// Of the operators of a case's step [s]. Products of int4 weights are held to their bytes alone: what is
/// measured at so few rows is how fast weights four times as large are read.
double floor_of(const Case& c, const Features& features, const Ceilings& ceilings) {
  const auto structure = compile(c.model(), c.plan);
  require(structure.has_value(), "a case that was executed");
  const Graph graph = bind(*structure, features);
  double sum = 0;
  for (std::size_t v = 0; v < num_vertices(graph); ++v) {
    const Work work = work_of(graph[v].op);
    const auto* linear = std::get_if<Linear>(&graph[v].op);
    const bool int4 = linear != nullptr && linear->w.dtype == DType::int4;
    const double memory = static_cast<double>(work.compulsory().value) / ceilings.read,
                 matrix = static_cast<double>(work.flops.value) / ceilings.rate(work);
    sum += int4 ? memory : std::max(memory, matrix);
  }
  return sum;
}

struct Tuned {
  Tuning tuning;
  std::size_t tried = 0;
};

/// The products of the step that a row times.
Result<Tuned> tune(const StepKind& step, const Case& c, const cuda::Gpu& gpu) {
  const auto structure = compile(c.model(), c.plan);
  if (!structure) return failure(structure.error());
  const std::vector<Step> steps = workload_steps(c);
  const Features run = padded(features(steps[step.decodes() ? 1 : 0]), c.plan);
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
    if (p.value("model", "") == row.peer && p.value("phase", "") == row.step.phase &&
        p.value("b", 0) == row.step.batch && p.value("s", 0) == row.step.context)
      return p.value("us", 0.0) * 1e-3;
  }
  return 0;
}

/// Measures and prints.
/// returns whether what it must reach is reached
Result<bool> measure(const Row& row, const Ceilings& ceilings, const cuda::Gpu& gpu, const Library& library,
                     const nlohmann::json& peer) {
  const StepKind& step = row.step;
  const auto device = load_device("h200-sxm", library);
  if (!device) return failure(device.error());
  const auto model = load_model(std::string{row.model}, library);
  if (!model) return failure(model.error());
  const Case c = case_of(step, *model, *device);
  const auto tuned = tune(step, c, gpu);
  if (!tuned) return failure(tuned.error());
  const std::size_t better = tuned->tuning.products.size();
  const auto untuned = time_step(step, c, {});
  if (!untuned) return failure(untuned.error());
  const auto with = better > 0 ? time_step(step, c, {.tuning = tuned->tuning}) : untuned;
  if (!with) return failure(with.error());
  const TimedStep& m = with->median < untuned->median ? *with : *untuned;
  const double ms = m.median * 1e3, theirs = peer_ms(peer, row),
               floor = floor_of(c, m.features, ceilings) * 1e3;
  const double unit = row.of_floor ? floor : 1, must = row.must * unit, goal = row.goal * unit;
  const auto gib = [](Bytes b) { return static_cast<double>(b.value) / (1 << 30); };
  fmt::print(
      "{:<14} {:<6} {:<8} {:>5} {:>7} {:>9.3f} {:>5} {:>10.3f} {:>9.3f} {:>8.3f} - {:>6.3f} {:>7.3f} "
      "{:>6.2f}, "
      "{:>5.2f}{} {:>9} {:>6} {:>5.1f} of {:>5.1f}\n",
      row.model, step.format, step.phase, step.batch, step.context, floor,
      fmt::format("{}/{}", better, tuned->tried), untuned->median * 1e3, with->median * 1e3, m.low * 1e3,
      m.high * 1e3, ms / floor, must, goal,
      ms <= goal   ? "++"
      : ms <= must ? "+ "
                   : "- ",
      theirs > 0 ? fmt::format("{:.3f}", theirs) : "-", theirs > 0 ? fmt::format("{:.2f}", ms / theirs) : "-",
      gib(m.used), gib(m.planned));
  std::fflush(stdout);
  return ms <= must;
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
  bool all = true;
  for (const Row& row : rows) {
    const std::string name =
        fmt::format("{} {} {} {}", row.model, row.step.format, row.step.phase, row.step.batch);
    if (name.find(only) == std::string::npos) continue;
    const Result<bool> reached = measure(row, ceilings, *gpu, library, peer);
    if (!reached) return fmt::print(stderr, "{}", to_string(reached.error())), 1;
    all = all && *reached;
  }
  return all ? 0 : 1;
}

}  // namespace
}  // namespace inferometer

int main(int argc, char** argv) {
  const bool peer = argc > 1 && *argv[1] != 0;
  return inferometer::table(peer ? argv[1] : nullptr, argc > 2 ? argv[2] : "");
}
