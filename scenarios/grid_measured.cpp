#include "scenarios/grid_measured.hpp"

#include <fmt/format.h>

#include "scenarios/yaml_text.hpp"

namespace inferometer {
namespace {

double us(Seconds t) { return t.count() * 1e6; }

/// [first node, last node, exposed us, gap us]
void read_kernels(Reader& in, std::vector<MeasuredKernel>& kernels) {
  const Document* list = in.raw("kernels");
  if (list == nullptr || list->kind != Document::Kind::sequence)
    return in.error("kernels", "a list is needed");
  for (const Document& entry : list->sequence) {
    std::vector<double> numbers;
    for (const Document& number : entry.sequence) {
      const Result<double> value = parse_value<double>(number);
      if (value && *value >= 0 && *value < 1e12) numbers.push_back(*value);
    }
    if (entry.sequence.size() != 4 || numbers.size() != 4) {
      in.errors().push_back(
          {in.path() + ".kernels: [first node, last node, exposed us, gap us] is needed", entry.where});
      continue;
    }
    kernels.push_back({static_cast<std::size_t>(numbers[0]), static_cast<std::size_t>(numbers[1]),
                       Seconds{numbers[2] * 1e-6}, Seconds{numbers[3] * 1e-6}});
  }
}

std::string text_of(const GridStep& step) {
  const MeasuredStep& m = *step.measured;
  std::string kernels;
  for (const MeasuredKernel& k : m.kernels)
    kernels += fmt::format("{}[{}, {}, {:.6g}, {:.6g}]", kernels.empty() ? "" : ", ", k.first, k.last,
                           us(k.exposed), us(k.gap));
  return fmt::format(
      "      - {{step: \"{}\", median: {:.7g} us, p10: {:.7g} us, p90: {:.7g} us, runs: {}, throttled: "
      "{},{}\n"
      "         kernels: [{}]}}\n",
      step.text, us(m.median), us(m.p10), us(m.p90), m.runs, m.throttled,
      m.clock ? fmt::format(" clock: {:.4g},", *m.clock) : "", kernels);
}

std::string mapping_of(const std::vector<Edit>& edits) {
  std::string text;
  for (const Edit& e : edits)
    text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", e.path, yaml_quoted(e.value));
  return "{" + text + "}";
}

}  // namespace

MeasuredStep read_measured_step(Reader& in) {
  MeasuredStep m{.median = in.required<Seconds>("median"),
                 .p10 = in.required<Seconds>("p10"),
                 .p90 = in.required<Seconds>("p90"),
                 .runs = in.required<std::int64_t>("runs")};
  m.throttled = in.required<bool>("throttled");
  m.clock = in.maybe<double>("clock");
  read_kernels(in, m.kernels);
  if (m.median <= Seconds{0}) in.error("median", "must be positive");
  if (m.clock && !(*m.clock > 0 && *m.clock <= 1)) in.error("clock", "must be above 0 and at most 1");
  if (m.kernels.empty()) in.error("kernels", "no kernel");
  return m;
}

MemoryUse read_memory(Reader& in) {
  MemoryUse use{.weights = in.required<Bytes>("weights"),
                .kv = in.required<Bytes>("kv"),
                .activations = in.required<Bytes>("activations"),
                .workspace = in.required<Bytes>("workspace"),
                .capacity = in.required<Bytes>("capacity")};
  in.reject_unknown_keys();
  return use;
}

std::vector<GridCopy> read_copies(const Document& list, Errors& errors) {
  std::vector<GridCopy> copies;
  if (list.kind != Document::Kind::sequence) {
    errors.push_back({"copies: a list is needed", list.where});
    return copies;
  }
  for (std::size_t i = 0; i < list.sequence.size(); ++i) {
    Reader in(list.sequence[i], fmt::format("copies[{}]", i), errors);
    const auto bytes = in.required<Bytes>("bytes");
    const auto direction = in.required<std::string>("direction");
    const GridCopy c{.copy = {bytes, value_named<CopyDirection>(direction).value_or(CopyDirection{})},
                     .measured = in.maybe<Seconds>("median")};
    if (in.has("direction") && !value_named<CopyDirection>(direction))
      in.error("direction", "is not one of " + expected_names<CopyDirection>());
    if (in.has("bytes") && !(c.copy && bytes <= most_copied)) in.error("bytes", "must be 1 B to 1 TiB");
    if (c.measured && !(*c.measured > Seconds{0})) in.error("median", "must be positive");
    in.reject_unknown_keys();
    copies.push_back(c);
  }
  return copies;
}

std::string print_grid(const StepGrid& grid) {
  std::string text =
      "# Steps that were executed. kernels: [first node, last node, exposed us, gap before us].\ndevice: " +
      yaml_quoted(grid.device) + "\nfacts:\n";
  for (const auto& [key, value] : grid.facts)
    text += fmt::format("  {}: {}\n", yaml_quoted(key), yaml_quoted(value));
  text += "plans:\n";
  for (const auto& [name, edits] : grid.plans)
    text += fmt::format("  {}: {}\n", yaml_quoted(name), mapping_of(edits));
  if (!grid.copies.empty()) text += "copies:\n";
  for (const GridCopy& c : grid.copies)
    text += fmt::format("  - {{bytes: {} B, direction: {}{}}}\n", c.copy.bytes.value, name(c.copy.direction),
                        c.measured ? fmt::format(", median: {:.7g} us", us(*c.measured)) : "");
  text += "runs:\n";
  for (const GridRun& run : grid.runs) {
    text += fmt::format("  - model: {}\n    set: {}\n    plans: [{}]\n    formats: [{}]\n",
                        yaml_quoted(run.model), mapping_of(run.edits), yaml_quoted(run.plan),
                        yaml_quoted(run.format));
    if (const auto& m = run.memory_used)
      text += fmt::format(
          "    memory: {{weights: {} B, kv: {} B, activations: {} B, workspace: {} B, capacity: {} B}}\n",
          m->weights.value, m->kv.value, m->activations.value, m->workspace.value, m->capacity.value);
    text += "    steps:\n";
    for (const GridStep& step : run.steps)
      text += step.measured ? text_of(step) : fmt::format("      - \"{}\"\n", step.text);
  }
  return text;
}

}  // namespace inferometer
