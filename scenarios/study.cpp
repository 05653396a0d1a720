#include "scenarios/study.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "model/launch.hpp"
#include "model/seeded.hpp"
#include "scenarios/samples.hpp"
#include "simulator/step_predictor.hpp"
#include "simulator/step_work.hpp"

namespace inferometer {
namespace {

Seconds seconds(Nanoseconds t) { return std::chrono::duration_cast<Seconds>(t); }

/// Fills in the tokens that the step before chose.
void feed(Step& step, const Output& output) {
  std::size_t row = 0;
  for (Slice& slice : step.slices) {
    if (slice.tokens.empty()) slice.tokens = {output.tokens.at(row)};
    ++row;
  }
}

/// The steps of one kind: the prefill is step 0, decodes the rest.
struct PhaseRange {
  std::string name;
  std::size_t first, count;
  std::size_t middle() const { return first + count / 2; }
};
std::vector<PhaseRange> phases_of(std::size_t steps) {
  std::vector<PhaseRange> phases{{"prefill", 0, 1}};
  if (steps > 1) phases.push_back({"decode", 1, steps - 1});
  return phases;
}

Done measure(VariantResult& variant, std::vector<Step> steps, Backend& backend, std::int64_t repeats) {
  const std::unique_ptr<StepTimer> timer = backend.timer();
  const std::vector<PhaseRange> phases = phases_of(steps.size());
  std::vector<std::vector<Nanoseconds>> times(phases.size());
  std::vector<std::unique_ptr<DeviceWatch>> watches;
  for (std::size_t p = 0; p < phases.size(); ++p) watches.push_back(backend.watch());
  // Beyond the asked-for repeats until the medians of the first and the second half agree, but not for ever.
  // The first pass warms caches, primitive caches and pages, and finds the tokens that the others repeat.
  for (std::int64_t pass = 0; pass <= 3 * repeats; ++pass) {
    if (pass > repeats && std::all_of(times.begin(), times.end(), steady)) break;
    for (std::size_t p = 0; p < phases.size(); ++p) {
      DeviceWatch* watch = pass > 0 ? watches[p].get() : nullptr;
      if (watch != nullptr) watch->begin();
      for (std::size_t i = phases[p].first; i < phases[p].first + phases[p].count; ++i) {
        if (i > 0) feed(steps[i], backend.output());
        const Result<Nanoseconds> time = timer->time(steps[i]);
        if (!time) return failure(time.error());
        if (pass > 0) times[p].push_back(*time);
      }
      if (watch != nullptr) watch->end();
    }
  }
  for (std::size_t p = 0; p < phases.size(); ++p) {
    PhaseResult& phase = variant.phases[p];
    phase.measured = samples_of(times[p]);
    if (watches[p]) phase.conditions = watches[p]->conditions();
    // The profile is a run of its own: looking at each node costs time that the step times must not contain.
    const Graph graph = bind(variant.structure, phase.features);
    std::vector<Timeline> runs;
    for (std::int64_t pass = 0; pass < std::max<std::int64_t>(3, repeats); ++pass) {
      Result<Timeline> run = backend.run(graph, steps[phases[p].middle()]);
      if (!run) return failure(run.error());
      runs.push_back(std::move(*run));
    }
    phase.profile = median_timeline(runs);
    const Step& middle = steps[phases[p].middle()];
    if (!middle.copy_beside) continue;
    const Result<BesideTimes> beside = measure_beside(*timer, middle, repeats);
    if (!beside) return failure(beside.error());
    phase.beside_measured = *beside;
  }
  return std::monostate{};
}

VariantResult predict_variant(const std::string& name, const Case& settings, Structure structure,
                              const Calibration& calibration, const std::vector<Step>& steps) {
  VariantResult variant{.name = name,
                        .optimizations = {},
                        .edits = {},
                        .settings = settings,
                        .structure = std::move(structure)};
  variant.memory = memory_budget(settings, variant.structure);
  StepPredictor predictor(settings, variant.structure, calibration);
  StepWork work(settings, variant.structure);
  const std::optional<PowerModel> power = power_model_of(settings);
  const Plan::Parallel& parallel = settings.plan.parallel;
  for (const PhaseRange& range : phases_of(steps.size())) {
    PhaseResult phase{.name = range.name, .steps = static_cast<std::int64_t>(range.count)};
    Joules energy{0};
    for (std::size_t i = range.first; i < range.first + range.count; ++i) {
      const Features f = fullest_share(features(steps[i]), parallel.data);
      const Seconds time = seconds(predictor.time(f));
      phase.predicted += time / static_cast<double>(range.count);
      if (power)
        energy += power->idle() * (static_cast<double>(parallel.devices()) * time) +
                  static_cast<double>(parallel.tensor) * power->above_idle(work.of(totals_of(f)), time);
    }
    if (power) phase.energy = Joules{energy.value / static_cast<double>(range.count)};
    phase.features = fullest_share(features(steps[range.middle()]), parallel.data);
    phase.run = padded(phase.features, settings.plan);
    phase.prediction = predict(settings, variant.structure, phase.features, calibration);
    if (phase.features.copy_beside)
      phase.beside_predicted =
          predict_beside(settings, variant.structure, phase.features, calibration, phase.prediction);
    variant.phases.push_back(std::move(phase));
  }
  return variant;
}

/// Allocates what the case needs. returns  whether there is something to execute on; why not is noted
bool prepare(VariantResult& variant, const Case& c, Backend* backend) {
  if (backend == nullptr) return false;
  const Result<MemoryUse> used = backend->prepare(c, variant.structure);
  if (used) {
    variant.memory_used = *used;
    return true;
  }
  variant.not_measured = in_a_line(used.error());
  return false;
}

/// The workload's static batch.
Result<VariantResult> step_variant(const Variant& run, const Calibration& calibration, Backend* backend,
                                   std::int64_t repeats) {
  Result<Structure> structure = compile(run.edited.model(), run.edited.plan);
  if (!structure) return failure(structure.error());
  const std::vector<Step> steps = workload_steps(run.edited);
  VariantResult variant = predict_variant(run.name, run.edited, std::move(*structure), calibration, steps);
  if (prepare(variant, run.edited, backend)) {
    if (auto done = measure(variant, steps, *backend, repeats); !done) return failure(done.error());
  }
  return variant;
}

MemoryUse memory_of(const KvBudget& budget, const Device& device) {
  return {.weights = budget.weights,
          .kv = budget.blocks * budget.block,
          .activations = budget.activations,
          .workspace = budget.reserve,
          .capacity = device.memory_capacity.value};
}

/// The scenario's traffic.
Result<VariantResult> serve_variant(const Variant& run, const Scenario& scenario,
                                    const Calibration& calibration, Backend* backend,
                                    const Progress& progress) {
  const auto part = [&](std::string_view by) {
    return [&progress, by, all = static_cast<double>(scenario.traffic->requests.size())](double fraction) {
      progress(fmt::format(" {}, {:.0f} of {:.0f} requests", by, fraction * all, all), fraction);
    };
  };
  const Case& c = run.edited;
  Result<Structure> structure = compile(c.model(), c.plan);
  if (!structure) return failure(structure.error());
  VariantResult variant{.name = run.name, .settings = c, .structure = std::move(*structure)};
  Result<ServingResult> serving =
      run.pools.empty()
          ? predict_serving(c, variant.structure, calibration, scenario.profile, scenario.traffic,
                            scenario.level, part("predicted"))
          : predict_pools(c, run.pools, calibration, scenario.traffic, scenario.level, part("predicted"));
  if (!serving) {  // the others are still served
    variant.not_served = in_a_line(serving.error());
    return variant;
  }
  const Case& first = run.pools.empty() ? c : run.pools.front().edited;
  variant.memory = memory_of(serving->budget, first.cluster.device);
  if (!run.pools.empty()) {
    variant.not_measured = "one instance is executed, no pools";
  } else if (prepare(variant, prepared_for(c, serving->budget.blocks), backend)) {
    if (auto done = execute_serving(c, variant.structure, calibration, *backend, scenario.durations, *serving,
                                    part(name(scenario.durations)));
        !done)
      variant.not_measured = in_a_line(done.error());
    if (scenario.profile) serving->as_found.reset();  // it is of the kernel models
  }
  variant.serving = std::move(*serving);
  return variant;
}

Result<VariantResult> run_variant(const Variant& run, const Scenario& scenario,
                                  const Calibration& calibration, Backend* backend,
                                  const Progress& progress) {
  Result<VariantResult> variant = scenario.traffic
                                      ? serve_variant(run, scenario, calibration, backend, progress)
                                      : step_variant(run, calibration, backend, scenario.repeats);
  if (!variant) return failure(variant.error());
  variant->optimizations = run.optimizations;
  variant->edits = run.edits;
  variant->pools = run.pools;
  return variant;
}

}  // namespace

Seconds VariantResult::predicted_total() const {
  Seconds sum{0};
  for (const PhaseResult& phase : phases) sum += static_cast<double>(phase.steps) * phase.predicted;
  return sum;
}

std::optional<Seconds> VariantResult::measured_total() const {
  Seconds sum{0};
  for (const PhaseResult& phase : phases) {
    if (!phase.measured) return std::nullopt;
    sum += static_cast<double>(phase.steps) * seconds(phase.measured->median);
  }
  return sum;
}

Timeline median_timeline(const std::vector<Timeline>& runs) {
  const std::size_t count = runs.front().spans.size();
  // From the end of the span before: negative where the two overlap.
  const auto lead = [](const Timeline& run, std::size_t s) {
    const Nanoseconds before = s == 0 ? Nanoseconds{0} : run.spans[s - 1].start + run.spans[s - 1].duration;
    return run.spans[s].start - before;
  };
  Timeline result;
  Nanoseconds at{0};
  for (std::size_t s = 0; s < count; ++s) {
    std::vector<Nanoseconds> durations, leads;
    for (const Timeline& run : runs) {
      durations.push_back(run.spans.at(s).duration);
      leads.push_back(lead(run, s));
    }
    // Medians of parts need not add up to the median of the whole: the spans are laid out again.
    const Nanoseconds gap = samples_of(std::move(leads)).median;
    if (gap > Nanoseconds{0})
      result.spans.push_back(
          {.nodes = {}, .kind = SpanKind::gap, .start = at, .duration = gap, .kernel = "gap"});
    Span span = runs.front().spans[s];
    span.samples = samples_of(std::move(durations));
    span.duration = span.samples->median;
    span.start = std::max(Nanoseconds{0}, at + gap);
    at = span.start + span.duration;
    result.end = std::max(result.end, at);
    result.spans.push_back(std::move(span));
  }
  return result;
}

std::vector<Step> workload_steps(const Case& c) {
  const Workload& w = c.workload;
  const std::int64_t block = c.plan.kv.block_tokens;
  const std::int64_t blocks = (w.prompt_tokens + w.output_tokens + block - 1) / block;
  std::vector<Step> steps(static_cast<std::size_t>(w.output_tokens));
  for (Step& step : steps) step.copy_beside = w.copy_beside;
  for (std::int64_t s = 0; s < w.batch; ++s) {
    std::vector<std::int32_t> table;
    for (std::int64_t b = 0; b < blocks; ++b) table.push_back(static_cast<std::int32_t>(s * blocks + b));
    Slice prompt{.sequence = s, .tokens = {}, .fresh = w.prompt_tokens, .cached = 0, .block_table = table};
    const auto vocab = static_cast<std::uint64_t>(c.model().vocab);
    for (std::int64_t t = 0; t < w.prompt_tokens; ++t) {
      const std::uint64_t draw =
          mix(mix(c.draws.seed + static_cast<std::uint64_t>(s) * 0x10001ULL) + static_cast<std::uint64_t>(t));
      prompt.tokens.push_back(static_cast<std::int32_t>(draw % vocab));
    }
    steps[0].slices.push_back(std::move(prompt));
    for (std::size_t i = 1; i < steps.size(); ++i) {
      steps[i].slices.push_back({.sequence = s,
                                 .tokens = {},
                                 .fresh = 1,
                                 .cached = w.prompt_tokens + static_cast<std::int64_t>(i) - 1,
                                 .block_table = table});
    }
  }
  return steps;
}

std::vector<Variant> runs_of(const Scenario& scenario) {
  std::vector<Variant> runs{{"baseline", {}, {}, scenario.baseline, scenario.pools}};
  runs.insert(runs.end(), scenario.variants.begin(), scenario.variants.end());
  return runs;
}

Result<VariantResult> predict_run(const Variant& run, const Scenario& scenario,
                                  const Calibration& calibration) {
  return run_variant(run, scenario, calibration, nullptr, [](const std::string&, double) {});
}

Result<StudyResult> run_study(const Scenario& scenario, const Calibration& calibration, Backend* backend,
                              const std::string& why_not, const Progress& progress) {
  StudyResult study{.scenario = scenario, .provenance = {}, .variants = {}};
  study.provenance.level = calibration.level;
  const std::vector<Variant> runs = runs_of(scenario);
  for (std::size_t r = 0; r < runs.size(); ++r) {
    const Variant& run = runs[r];
    const auto part = [&](const std::string& what, double fraction) {
      progress(run.name + what, (static_cast<double>(r) + fraction) / static_cast<double>(runs.size()));
    };
    part("", 0);
    Result<VariantResult> variant = run_variant(run, scenario, calibration, backend, part);
    if (!variant) return failure(variant.error());
    if (backend == nullptr) variant->not_measured = why_not;
    if (variant->serving) tell_exchanges(variant->serving->predicted.run, run.edited, run.pools, calibration);
    study.variants.push_back(std::move(*variant));
  }
  progress("done", 1.0);
  return study;
}

}  // namespace inferometer
