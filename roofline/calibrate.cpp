#include "roofline/calibrate.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "model/nearest_rank.hpp"
#include "model/seeded.hpp"

namespace inferometer {
namespace {

/// A Llama-shaped network whose sizes are no published model's, but multiples of 64 as theirs are: layers of
/// 1.4 + 4.5 million weights. (Of a vocabulary of 20011, oneDNN 2.6 multiplied several rows 1.7 times
/// slower.)
Architecture calibration_network(std::int64_t layers) {
  Architecture a;
  a.name = "calibration";
  a.family = "LlamaForCausalLM";
  a.layers = layers;
  a.hidden = 704;
  a.heads = 12;
  a.kv_heads = 4;
  a.head_dim = 64;
  a.intermediate = 2112;
  a.vocab = 20032;
  a.max_positions = 4096;
  return a;
}

/// Layers whose weights in bf16 are more than a cache holds anything of, as of whole networks; as many as are
/// timed within seconds.
std::int64_t layers_beyond_cache(const Device& device) {
  constexpr std::int64_t fewest = 5, most = 64;
  const double layer = 2 * 5.9e6, beyond = 2.6 * static_cast<double>(device.cache_capacity.value.value);
  return std::clamp(static_cast<std::int64_t>(std::ceil(beyond / layer)), fewest, most);
}

/// `sequences` of `fresh` new tokens behind `cached` ones.
struct Size {
  std::int64_t sequences, fresh, cached;
};
/// Prompts are bound by arithmetic and run through few layers; decode steps by memory.
struct Sizes {
  std::int64_t layers;
  std::vector<Size> steps;
};
std::vector<Sizes> sizes_on(const Device& device) {
  return {{3, {{1, 300, 0}, {1, 160, 0}, {1, 70, 0}, {2, 24, 200}}},
          {layers_beyond_cache(device), {{1, 1, 299}, {3, 1, 180}, {7, 1, 450}}}};
}

struct Probe {
  std::string what;
  Plan plan;
};

Plan plan_of(DType dtype, InputFormat inputs, AttentionKernel attention) {
  Plan plan;
  const DType activations = dtype == DType::int8 ? DType::bf16 : dtype;
  plan.precision.weights = dtype;
  plan.precision.weights.rules = {{.role = "lm_head", .value = activations}};
  plan.precision.activations = activations;
  plan.precision.kv = activations;
  plan.precision.inputs = inputs;
  plan.precision.inputs.rules = {{.role = "lm_head", .value = InputFormat::as_is}};
  plan.kernels.attention = attention;
  return plan;
}

std::vector<Probe> probes() {
  const auto as_is = InputFormat::as_is;
  return {{"f32", plan_of(DType::f32, as_is, AttentionKernel::tiled)},
          {"bf16", plan_of(DType::bf16, as_is, AttentionKernel::naive)},
          {"int8", plan_of(DType::int8, InputFormat::int8, AttentionKernel::tiled)}};
}

/// Tokens of the longest sequence, with some to spare.
constexpr std::int64_t capacity = 460;

Step step_of(const Size& size, std::int64_t vocab, std::int64_t block) {
  Step step;
  const std::int64_t blocks = (capacity + block - 1) / block;
  for (std::int64_t s = 0; s < size.sequences; ++s) {
    Slice slice{.sequence = s, .fresh = size.fresh, .cached = size.cached};
    for (std::int64_t t = 0; t < size.fresh; ++t) {
      slice.tokens.push_back(static_cast<std::int32_t>(mix(static_cast<std::uint64_t>(s * 1009 + t)) %
                                                       static_cast<std::uint64_t>(vocab)));
    }
    for (std::int64_t b = 0; b < blocks; ++b)
      slice.block_table.push_back(static_cast<std::int32_t>(s * blocks + b));
    step.slices.push_back(std::move(slice));
  }
  return step;
}

/// One operator of one size, however many layers have it.
struct Sample {
  std::string step;
  CalibrationPoint point;
  std::vector<double> seconds;
};

/// Adds each node's time with the gap behind it: what the step pays for the node.
void collect(const Timeline& run, const Graph& graph, const Structure& structure,
             const Surroundings& surroundings, const std::string& step_name,
             std::map<std::string, Sample>& samples) {
  for (std::size_t i = 0; i < run.spans.size(); ++i) {
    const Span& span = run.spans[i];
    if (span.nodes.size() != 1) continue;
    Nanoseconds time = span.duration;
    if (i + 1 < run.spans.size() && run.spans[i + 1].kind == SpanKind::gap) time += run.spans[i + 1].duration;
    const auto node = static_cast<std::size_t>(span.nodes[0]);
    const StructureNode& source = structure.nodes[node];
    const std::string role = source.name.substr(source.name.rfind('.') + 1);
    const bool outside = source.layer < 0;
    Sample& sample = samples[step_name + (outside ? "/outside/" : "/") + role];
    sample.step = step_name;
    sample.point.op = graph[node].op;
    sample.point.surroundings = surroundings;
    sample.seconds.push_back(std::chrono::duration_cast<Seconds>(time).count());
  }
}

/// Each step of `sizes` once to warm up and twice for `samples`, in rounds over the steps.
Done run_sizes(Backend& backend, const Case& c, const Sizes& sizes, const std::string& probe,
               std::map<std::string, Sample>& samples) {
  Result<Structure> structure = compile(c.model(), c.plan);
  if (!structure) return failure(structure.error());
  if (Result<MemoryUse> used = backend.prepare(c, *structure); !used) return failure(used.error());
  for (int round = 0; round <= 2; ++round) {
    for (const Size& size : sizes.steps) {
      const Step step = step_of(size, c.model().vocab, c.plan.kv.block_tokens);
      const Graph graph = bind(*structure, features(step));
      const Surroundings surroundings{.persistent = persistent_bytes(graph, c.cluster.device)};
      const std::string name =
          probe + "/" + std::to_string(size.sequences) + "x" + std::to_string(size.fresh);
      const Result<Timeline> run = backend.run(graph, step);
      if (!run) return failure(run.error());
      if (round > 0) collect(*run, graph, *structure, surroundings, name, samples);
    }
  }
  return {};
}

/// The mean between the deciles, which one interruption does not move; of a few samples the median.
double usual(std::vector<double> seconds) {
  const auto cut = static_cast<std::ptrdiff_t>(seconds.size() / 10);
  if (cut == 0) return nearest_rank(seconds, 0.5);
  std::sort(seconds.begin(), seconds.end());
  const double sum = std::accumulate(seconds.begin() + cut, seconds.end() - cut, 0.0);
  return sum / static_cast<double>(static_cast<std::ptrdiff_t>(seconds.size()) - 2 * cut);
}

}  // namespace

std::vector<std::string> host_parameters() {
  return {"memory_efficiency",      "cache_efficiency",
          "matrix_efficiency.f32",  "matrix_efficiency.bf16",
          "matrix_efficiency.int8", "half_rows",
          "half_rows.int8",         "attention_half_rows",
          "vector_efficiency",      "launch"};
}

Result<std::vector<CalibrationPoint>> measure_points(Backend& backend, const Device& device,
                                                     const std::function<void(const std::string&)>& progress,
                                                     const std::function<bool()>& another_pass) {
  Case c;
  c.cluster.device = device;
  c.workload = {.batch = 7, .prompt_tokens = capacity - 20, .output_tokens = 20};
  std::map<std::string, Sample> samples;
  // Passes over all networks, not one network after another: a neighbour on a shared machine slows it for
  // seconds or minutes, which then touches all points alike instead of telling one format from another.
  do {
    for (const Probe& probe : probes()) {
      progress(probe.what);
      c.plan = probe.plan;
      for (const Sizes& sizes : sizes_on(device)) {
        c.models["model"] = calibration_network(sizes.layers);
        if (const Done ran = run_sizes(backend, c, sizes, probe.what, samples); !ran)
          return failure(ran.error());
      }
    }
  } while (another_pass());
  std::vector<CalibrationPoint> points;
  // Each step counts the same, and each node in it by its share of the step's time: whole steps are to come
  // out right.
  std::map<std::string, double> step_seconds;
  for (auto& [name, sample] : samples) {
    sample.point.name = name;
    sample.point.time = Seconds{usual(sample.seconds)};
    sample.point.weight = static_cast<double>(sample.seconds.size()) * sample.point.time.count();
    step_seconds[sample.step] += sample.point.weight;
  }
  for (auto& [name, sample] : samples) {
    sample.point.weight /= step_seconds[sample.step];
    points.push_back(sample.point);
  }
  return points;
}

}  // namespace inferometer
