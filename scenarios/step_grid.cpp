#include "scenarios/step_grid.hpp"

#include <algorithm>
#include <charconv>

#include "model/optimizations.hpp"
#include "model/reader.hpp"
#include "model/seeded.hpp"
#include "model/settings.hpp"
#include "scenarios/check_case.hpp"
#include "scenarios/grid_measured.hpp"
#include "scenarios/setting_tree.hpp"
#include "scenarios/yaml_document.hpp"

namespace inferometer {
namespace {

constexpr std::int64_t most_sequences = 4096, most_tokens = 1 << 24, most_in_step = 1 << 26;
constexpr std::size_t most_steps = 10'000;

/// "16x1+1024 & 1x512+0"; nothing where it is none.
std::vector<AttentionSlice> parse_slices(std::string_view text) {
  std::vector<AttentionSlice> slices;
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto number = [&](std::int64_t least, std::int64_t most, std::int64_t& value) {
    const auto [stop, code] = std::from_chars(at, end, value);
    at = stop;
    return code == std::errc{} && value >= least && value <= most;
  };
  const auto sign = [&](std::string_view s) {
    const bool there = std::string_view(at, static_cast<std::size_t>(end - at)).starts_with(s);
    if (there) at += s.size();
    return there;
  };
  std::int64_t tokens = 0;
  do {
    std::int64_t count = 0;
    AttentionSlice slice;
    const bool read = number(1, most_sequences, count) && sign("x") && number(1, most_tokens, slice.fresh) &&
                      sign("+") && number(0, most_tokens, slice.cached);
    if (!read || static_cast<std::int64_t>(slices.size()) + count > most_sequences) return {};
    tokens += count * (slice.fresh + slice.cached);
    if (tokens > most_in_step) return {};
    slices.insert(slices.end(), static_cast<std::size_t>(count), slice);
  } while (sign(" & "));
  return at == end ? slices : std::vector<AttentionSlice>{};
}

/// Room for every step: as many sequences as the widest has, and blocks for all tokens of the fullest.
Workload room_for(const std::vector<GridStep>& steps, std::int64_t block) {
  std::int64_t sequences = 1, blocks = 1, fresh = 1;
  for (const GridStep& step : steps) {
    std::int64_t needed = 0, tokens = 0;
    for (const AttentionSlice& s : step.slices) {
      needed += (s.fresh + s.cached + block - 1) / block;
      tokens += s.fresh;
    }
    sequences = std::max(sequences, static_cast<std::int64_t>(step.slices.size()));
    blocks = std::max(blocks, needed);
    fresh = std::max(fresh, tokens);
  }
  const std::int64_t each = (blocks + sequences - 1) / sequences * block;
  return {.batch = sequences, .prompt_tokens = std::max<std::int64_t>(1, each - 1), .output_tokens = 1};
}

class GridReader {
 public:
  GridReader(const Document& document, std::filesystem::path file, const Device& device,
             const Library& library)
      : document_(document), file_(std::move(file)), device_(device), library_(library) {}

  Result<StepGrid> read() {
    Reader in(document_, "", errors_);
    if (auto facts = in.maybe_mapping("facts")) {
      for (const std::string& key : facts->keys()) grid_.facts[key] = facts->required<std::string>(key);
    }
    if (const auto device = in.maybe<std::string>("device"); device && *device != device_.name)
      in.error("device", "was measured on " + *device + "; asked for is " + device_.name);
    grid_.device = device_.name;
    read_plans(in);
    read_step_lists(in);
    const Document* runs = in.raw("runs");
    if (runs == nullptr || runs->kind != Document::Kind::sequence) {
      in.error("runs", "a list is needed");
    } else {
      for (std::size_t i = 0; i < runs->sequence.size(); ++i)
        read_run(Reader(runs->sequence[i], "runs[" + std::to_string(i) + "]", errors_));
    }
    if (const Document* copies = in.raw("copies")) grid_.copies = read_copies(*copies, errors_);
    in.reject_unknown_keys();
    if (!errors_.empty()) return failure(std::move(errors_));
    return std::move(grid_);
  }

 private:
  static SettingPaths all_paths() {
    Case c;
    c.models["model"] = {};
    SettingPaths paths;
    for (const Setting& s : settings(c)) paths.push_back(s.path);
    return paths;
  }

  void read_plans(Reader& in) {
    auto plans = in.maybe_mapping("plans");
    for (const std::string& name : plans ? plans->keys() : std::vector<std::string>{})
      grid_.plans[name] = read_settings(*plans->raw(name), all_paths(), "plans." + name, errors_);
  }

  void read_step_lists(Reader& in) {
    auto lists = in.maybe_mapping("steps");
    for (const std::string& name : lists ? lists->keys() : std::vector<std::string>{}) {
      const Document* list = lists->raw(name);
      if (list->kind != Document::Kind::sequence) lists->error(name, "a list is needed");
      std::vector<GridStep> made;  // known by its name once it is whole
      for (const Document& step : list->sequence) add_step(step, made, "steps." + name);
      if (made.size() > most_steps) lists->error(name, "more than 10000 steps");
      lists_[name] = std::move(made);
    }
  }

  void add_step(const Document& entry, std::vector<GridStep>& to, const std::string& place) {
    GridStep step;
    if (entry.kind == Document::Kind::mapping) {
      Reader in(entry, place, errors_);
      step.text = in.required<std::string>("step");
      step.measured = read_measured_step(in);
      in.reject_unknown_keys();
    } else {
      step.text = entry.scalar;
    }
    if (const auto list = lists_.find(step.text); list != lists_.end() && !step.measured) {
      to.insert(to.end(), list->second.begin(), list->second.end());
      return;
    }
    step.slices = parse_slices(step.text);
    if (step.slices.empty())
      errors_.push_back({place + ": " + in_quotes(step.text) +
                             " is neither a list under steps: nor SEQUENCESxNEW+CACHED, such as 16x1+1024",
                         entry.where});
    to.push_back(std::move(step));
  }

  void read_run(Reader in) {
    GridRun run;
    const std::size_t before = errors_.size();
    run.model = in.required<std::string>("model");
    Architecture model;
    if (Result<Architecture> found = load_model(run.model, library_, file_.parent_path()); found) {
      model = std::move(*found);
    } else {
      take_errors(errors_, found.error(), in.where(), in.path() + ".model: ");
    }
    if (const Document* set = in.raw("set"))
      run.edits = read_settings(*set, all_paths(), in.path() + ".set", errors_);
    const auto plans = in.list<std::string>("plans"), formats = in.list<std::string>("formats");
    const Document* steps = in.raw("steps");
    if (steps == nullptr || steps->kind != Document::Kind::sequence) in.error("steps", "a list is needed");
    for (const Document& step : steps ? steps->sequence : std::vector<Document>{})
      add_step(step, run.steps, in.path() + ".steps");
    if (auto memory = in.maybe_mapping("memory")) run.memory_used = read_memory(*memory);
    if (!plans || plans->empty()) in.error("plans", "names of plans are needed");
    if (!formats || formats->empty()) in.error("formats", "names of optimizations, or none, are needed");
    in.reject_unknown_keys();
    if (errors_.size() > before) return;
    for (const std::string& plan : *plans) {
      for (const std::string& format : *formats) add_run(run, model, plan, format, in);
    }
  }

  void add_run(GridRun run, const Architecture& model, const std::string& plan, const std::string& format,
               Reader& in) {
    run.plan = plan;
    run.format = format;
    Case& c = run.settings;
    c.models["model"] = model;
    c.cluster.device = device_;
    const std::size_t before = errors_.size();
    const auto set = [&](const std::vector<Edit>& edits) {
      for (const Edit& edit : edits) {
        if (auto done = set_field(c, edit); !done) take_errors(errors_, done.error(), edit.where);
      }
    };
    if (const auto named = grid_.plans.find(plan); named != grid_.plans.end()) {
      set(named->second);
    } else {
      in.error("plans", in_quotes(plan) + " is not under plans:");
    }
    set(run.edits);
    if (format != "none") {
      if (auto applied = apply(c, {format}, true); !applied)
        take_errors(errors_, applied.error(), in.where(), in.path() + ".formats: ");
    }
    if (c.plan.kv.block_tokens < 1) in.error("plans", "kv.block_tokens: must be positive");
    if (run.steps.empty()) in.error("steps", "names no step");
    if (errors_.size() > before) return;
    c.workload = room_for(run.steps, c.plan.kv.block_tokens);
    take_errors(errors_, check_case(c, {}, in.where()), in.where(), in.path() + ": ");
    grid_.runs.push_back(std::move(run));
  }

  const Document& document_;
  std::filesystem::path file_;
  const Device& device_;
  const Library& library_;
  Errors errors_;
  StepGrid grid_;
  std::map<std::string, std::vector<GridStep>> lists_;
};

}  // namespace

Result<StepGrid> read_grid(const std::string& text, const std::filesystem::path& file, const Device& device,
                           const Library& library) {
  const Result<Document> document = parse_yaml(text, file.string());
  if (!document) return failure(document.error());
  return GridReader(*document, file, device, library).read();
}

Features features(const GridStep& step) {
  Features f{.sequences = static_cast<std::int64_t>(step.slices.size())};
  f.logit_rows = f.sequences;
  f.slices = step.slices;
  for (const AttentionSlice& s : f.slices) f.tokens += s.fresh;
  return f;
}

Step step_of(const GridStep& of, const Case& c) {
  Step step;
  const auto vocab = static_cast<std::uint64_t>(c.model().vocab);
  const std::int64_t block = c.plan.kv.block_tokens;
  std::int32_t next_block = 0;
  for (const AttentionSlice& s : of.slices) {
    const auto sequence = static_cast<std::int64_t>(step.slices.size());
    Slice slice{.sequence = sequence, .fresh = s.fresh, .cached = s.cached};
    for (std::int64_t t = 0; t < s.fresh; ++t) {
      const std::uint64_t draw = mix(mix(c.draws.seed + static_cast<std::uint64_t>(sequence) * 0x10001ULL) +
                                     static_cast<std::uint64_t>(s.cached + t));
      slice.tokens.push_back(static_cast<std::int32_t>(draw % vocab));
    }
    for (std::int64_t b = 0; b < (s.fresh + s.cached + block - 1) / block; ++b)
      slice.block_table.push_back(next_block++);
    step.slices.push_back(std::move(slice));
  }
  return step;
}

}  // namespace inferometer
