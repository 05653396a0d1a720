#include <algorithm>
#include <set>

#include "model/hf_config.hpp"
#include "model/optimizations.hpp"
#include "model/reader.hpp"
#include "model/settings.hpp"
#include "roofline/support.hpp"
#include "scenarios/device_file.hpp"
#include "scenarios/files.hpp"
#include "scenarios/yaml_document.hpp"

namespace inferometer {
namespace {

namespace fs = std::filesystem;

/// The nested mappings under `plan:` as dotted paths with their scalars.
void flatten(const Document& node, const std::string& path, std::vector<Edit>& edits, Errors& errors) {
  if (node.kind == Document::Kind::mapping) {
    for (const Document::Entry& e : node.mapping)
      flatten(e.value, path.empty() ? e.key : path + "." + e.key, edits, errors);
    return;
  }
  std::string text = node.scalar;
  if (node.kind == Document::Kind::sequence) {
    for (const Document& item : node.sequence) text += (text.empty() ? "" : " ") + item.scalar;
  }
  edits.push_back({path, text, node.where});
}

/// Keeps what errors of others say, at `where`.
void take(Errors& errors, const Errors& more, const Location& where) {
  for (Error e : more) {
    if (e.where.line == 0) e.where = where;
    errors.push_back(std::move(e));
  }
}

void set_all(Case& c, const std::vector<Edit>& edits, Errors& errors) {
  for (const Edit& edit : edits) {
    if (auto set = set_field(c, edit); !set) take(errors, set.error(), edit.where);
  }
}

void check_case(const Case& c, const Location& where, const std::string& who, Errors& errors) {
  const Result<Structure> structure = compile(c.model(), c.plan);
  Errors found = structure ? unsupported(*structure, c.cluster.device) : structure.error();
  const Workload& w = c.workload;
  const auto in_range = [&](std::int64_t value, std::int64_t most, const char* what) {
    if (value < 1 || value > most)
      found.push_back(
          {std::string{what} + ": must be 1 to " + std::to_string(most) + ", is " + std::to_string(value)});
  };
  in_range(w.batch, 100'000, "workload.batch");
  in_range(w.prompt_tokens, 10'000'000, "workload.prompt_tokens");
  in_range(w.output_tokens, 1'000'000, "workload.output_tokens");
  for (Error& e : found) e.message = who + e.message;
  take(errors, found, where);
}

Variant read_variant(Reader in, const Case& baseline, std::set<std::string>& names) {
  Variant v;
  v.name = in.required<std::string>("name");
  if (!v.name.empty() && !names.insert(v.name).second)
    in.error("name", "\"" + v.name + "\" is the name of an earlier variant");
  v.optimizations = in.list<std::string>("optimizations").value_or(std::vector<std::string>{});
  const bool override_earlier = in.optional<bool>("override", false);
  v.edited = baseline;
  Errors& errors = in.errors();
  const std::size_t before = errors.size();
  const Document* listed = in.raw("optimizations");
  const Location place = listed ? listed->where : in.where();
  if (auto applied = apply(v.edited, v.optimizations, override_earlier); applied) {
    for (const SettingEdit& e : *applied) v.edits.push_back({e.path, e.value, place});
  } else {
    take(errors, applied.error(), place);
  }
  if (const Document* set = in.raw("set")) {
    std::vector<Edit> own;
    if (set->kind == Document::Kind::mapping) {
      flatten(*set, "", own, errors);
    } else {
      in.error("set", "a mapping of settings to values is needed");
    }
    set_all(v.edited, own, errors);
    v.edits.insert(v.edits.end(), own.begin(), own.end());
  }
  in.reject_unknown_keys();
  if (errors.size() == before) check_case(v.edited, in.where(), "variant \"" + v.name + "\": ", errors);
  return v;
}

void read_execute(Reader in, Scenario& s, const fs::path& folder) {
  s.backend = in.required<std::string>("backend");
  const bool cuda = s.backend.starts_with("cuda:") && s.backend.size() > 5 &&
                    s.backend.find_first_not_of("0123456789", 5) == std::string::npos;
  if (!s.backend.empty() && s.backend != "cpu" && !cuda)
    in.error("backend", "\"" + s.backend + "\" is not cpu or cuda:N");
  s.repeats = in.optional<std::int64_t>("repeats", 5);
  if (s.repeats < 1 || s.repeats > 1000) in.error("repeats", "must be 1 to 1000");
  if (const auto weights = in.maybe<std::string>("weights")) {
    s.weights = (folder / *weights).string();
    std::error_code ignored;
    if (!weights->empty() && !fs::exists(s.weights, ignored))
      in.error("weights", "no such file or folder: " + s.weights);
  }
  in.reject_unknown_keys();
}

void read_engine(Reader in, Engine& engine) {
  engine.per_step = in.optional<Seconds>("per_step", Seconds{0});
  engine.per_sequence = in.optional<Seconds>("per_sequence", Seconds{0});
  engine.source = in.required<std::string>("source");
  in.reject_unknown_keys();
}

void read_workload(Reader in, Workload& w) {
  w.batch = in.optional<std::int64_t>("batch", w.batch);
  w.prompt_tokens = in.required<std::int64_t>("prompt_tokens");
  w.output_tokens = in.required<std::int64_t>("output_tokens");
  in.reject_unknown_keys();
}

}  // namespace

Done set_field(Case& c, const Edit& edit) {
  if (auto set = set_setting(c, edit.path, edit.value); !set)
    return failure(set.error().front().message, edit.where);
  return std::monostate{};
}

Result<Scenario> load_scenario(const fs::path& file, const Library& library) {
  const Result<std::string> text = read_file(file);
  if (!text) return failure(text.error());
  const Result<Document> document = parse_yaml(*text, file.string());
  if (!document) return failure(document.error());
  Errors errors;
  Reader in(*document, "", errors);
  Scenario s;
  s.file = file;
  s.name = in.required<std::string>("name");
  s.description = in.optional<std::string>("description", "");
  s.model = in.required<std::string>("model");
  const std::string device = in.required<std::string>("device");
  const auto place = [&](std::string_view key) {
    const Document* d = in.raw(key);
    return d ? d->where : in.where();
  };
  bool complete = false;
  if (!s.model.empty() && !device.empty()) {
    Result<Architecture> model = load_model(s.model, library, file.parent_path());
    if (!model) take(errors, model.error(), place("model"));
    Result<DeviceFile> found = find_device(device, library, place("device"));
    if (!found) take(errors, found.error(), place("device"));
    complete = model && found;
    s.baseline.models["model"] = model ? *model : Architecture{};
    if (found) s.baseline.cluster.device = found->device;
    if (found) s.calibration = found->calibration;
  }
  s.baseline.cluster.count = in.optional<std::int64_t>("devices", 1);
  if (s.baseline.cluster.count < 1) in.error("devices", "must be at least 1");
  if (auto execute = in.maybe_mapping("execute")) read_execute(*execute, s, file.parent_path());
  read_workload(in.required_mapping("workload"), s.baseline.workload);
  if (auto engine = in.maybe_mapping("engine")) read_engine(*engine, s.baseline.engine);
  s.baseline.draws.seed = static_cast<std::uint64_t>(in.optional<std::int64_t>("seed", 1));
  std::vector<Edit> plan;
  if (const Document* node = in.raw("plan")) {
    if (node->kind == Document::Kind::mapping) {
      flatten(*node, "", plan, errors);
    } else {
      in.error("plan", "a mapping of settings is needed");
    }
  }
  for (const Edit& edit : plan) {
    if (edit.path.starts_with("architecture.") || edit.path.starts_with("workload.") ||
        edit.path.starts_with("draws.")) {
      errors.push_back({"plan: \"" + edit.path + "\" is no setting of a plan", edit.where});
    }
  }
  set_all(s.baseline, plan, errors);
  if (complete && errors.empty()) check_case(s.baseline, in.where(), "", errors);
  std::set<std::string> names{"baseline"};
  if (const Document* variants = in.raw("variants")) {
    if (variants->kind != Document::Kind::sequence) in.error("variants", "a list is needed");
    for (std::size_t v = 0; v < variants->sequence.size(); ++v) {
      Reader one(variants->sequence[v], "variants[" + std::to_string(v) + "]", errors);
      if (complete) s.variants.push_back(read_variant(std::move(one), s.baseline, names));
    }
  }
  in.reject_unknown_keys();
  if (!errors.empty()) return failure(std::move(errors));
  return s;
}

}  // namespace inferometer
