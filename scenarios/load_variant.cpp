#include "scenarios/load_variant.hpp"

#include <algorithm>

#include "model/optimizations.hpp"
#include "model/settings.hpp"
#include "scenarios/check_case.hpp"
#include "scenarios/setting_tree.hpp"

namespace inferometer {
namespace {

/// The names under `optimizations:` that can be applied alone, each mistake at its name.
std::vector<std::string> read_names(Reader& in, const Case& baseline, bool judge) {
  std::vector<std::string> names;
  const Document* list = in.raw("optimizations");
  if (list == nullptr) return names;
  if (list->kind != Document::Kind::sequence) {
    in.error("optimizations", "a list of names is needed");
    return names;
  }
  for (std::size_t i = 0; i < list->sequence.size(); ++i) {
    const std::string place = in.path() + ".optimizations[" + std::to_string(i) + "]: ";
    const auto refuse = [&](Errors why) {
      take_errors(in.errors(), std::move(why), list->sequence[i].where, place);
    };
    const Result<std::string> name = parse_value<std::string>(list->sequence[i]);
    if (!name) {
      refuse(name.error());
    } else if (std::find(names.begin(), names.end(), *name) != names.end()) {
      refuse({{"\"" + *name + "\" is listed twice"}});
    } else {
      names.push_back(*name);
      Case alone = baseline;
      if (!judge && find_optimization(*name) != nullptr) continue;
      if (auto applied = apply(alone, {*name}); !applied) refuse(applied.error());
    }
  }
  return names;
}

SettingPaths case_paths(const Case& c) {
  SettingPaths paths;
  for (const Setting& s : settings(c)) paths.push_back(s.path);
  return paths;
}

/// Two that set one field differently are a mistake, unless the variant says which one holds.
void refuse_silent_override(const Edit& own, const Variant& v, const std::string& path, Errors& errors) {
  for (const Edit& e : v.edits) {
    if (e.path != own.path || e.value == own.value) continue;
    errors.push_back({path + ".set." + own.path + ": an optimization of this variant sets it to \"" +
                          e.value + "\"; leave one out, or say override: true",
                      own.where});
  }
}

}  // namespace

Variant read_variant(Reader in, const Case& baseline, const std::vector<Pool>& pools,
                     const PoolContext& context, bool judge) {
  Errors& errors = in.errors();
  const std::size_t before = errors.size();
  Variant v;
  v.name = in.required<std::string>("name");
  v.edited = baseline;
  const bool override_earlier = in.optional<bool>("override", false);
  v.optimizations = read_names(in, baseline, judge && !override_earlier);
  const Document* set = in.raw("set");
  std::vector<Edit> own;
  if (set != nullptr) own = read_settings(*set, case_paths(baseline), in.path() + ".set", errors);
  v.pools = in.has("pools") ? read_pools(in, context) : pools;
  in.reject_unknown_keys();

  const Document* listed = in.raw("optimizations");
  const Location place = listed != nullptr ? listed->where : in.where();
  if (judge && errors.size() == before) {
    if (auto applied = apply(v.edited, v.optimizations, override_earlier); applied) {
      for (const SettingEdit& e : *applied) v.edits.push_back({e.path, e.value, place});
    } else {
      take_errors(errors, applied.error(), place, in.path() + ".optimizations: ");
    }
  }
  for (const Edit& edit : own) {
    if (!override_earlier) refuse_silent_override(edit, v, in.path(), errors);
    if (auto done = set_field(v.edited, edit); !done)
      take_errors(errors, {{in.path() + ".set." + done.error().front().message, edit.where}}, edit.where);
  }
  v.edits.insert(v.edits.end(), own.begin(), own.end());
  if (judge && errors.size() == before) {
    Errors wrong = check_case(v.edited, v.edits, in.where());
    if (wrong.empty()) wrong = settle_pools(v.pools, v.edited, v.edits);
    for (Error& e : wrong) {
      e.message = "variant \"" + v.name + "\": " + e.message;
      errors.push_back(std::move(e));
    }
  }
  return v;
}

}  // namespace inferometer
