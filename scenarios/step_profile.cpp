#include "scenarios/step_profile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>
#include <vector>

#include "model/setting_text.hpp"
#include "scenarios/calibration_file.hpp"
#include "scenarios/check_case.hpp"
#include "scenarios/files.hpp"
#include "scenarios/profile_files.hpp"

namespace inferometer {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> tables_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().extension() == ".csv") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string hash_of(const std::vector<fs::path>& files) {
  std::string all;
  for (const fs::path& file : files) {
    if (const Result<std::string> text = read_file(file)) all += *text;
  }
  return content_hash(all);
}

/// What a profile of one layer cannot say of this network and plan.
std::string not_profiled(const Case& c, const ProfileTables& tables) {
  const Architecture& model = c.model();
  const ProfileTables::Network& of = tables.network;
  std::string differs;
  for (const auto& [what, profiled, ours] : {std::tuple{"hidden size", of.hidden, model.hidden},
                                             {"heads", of.heads, model.heads},
                                             {"key heads", of.kv_heads, model.kv_heads},
                                             {"feed-forward width", of.intermediate, model.intermediate},
                                             {"vocabulary", of.vocab, model.vocab}}) {
    if (profiled != 0 && profiled != ours)
      differs += fmt::format("{}{} {} instead of {}", differs.empty() ? "" : ", ", what, profiled, ours);
  }
  if (!differs.empty()) return fmt::format("is of another network than {}: {}", model.name, differs);
  const std::string weights = print_setting(c.plan.precision.weights);
  if (!of.dtype.empty() && weights != of.dtype)
    return fmt::format("is of weights in {}, precision.weights is {}", of.dtype, weights);
  const bool experts = model.moe.has_value();
  if (experts && tables.experts.empty()) return model.name + " has experts, and the profile times none";
  if (!experts && !tables.experts.empty()) return "times experts, and " + model.name + " has none";
  if (c.plan.parallel.pipeline > 1) return "is of one stage; parallel.pipeline is set";
  if (c.plan.parallel.data > 1) return "is of one replica of attention; parallel.data is set";
  return "";
}

}  // namespace

StepProfile read_step_profile(Reader in, const Case& c, const fs::path& folder) {
  const auto path = [&](const char* key) {
    const auto text = in.maybe<std::string>(key);
    return text && !text->empty() ? data_path(*text, folder) : fs::path{};
  };
  const fs::path tables_folder = path("folder"), mlp = path("mlp"), attention = path("attention");
  in.reject_unknown_keys();
  const bool vidur = !mlp.empty() && !attention.empty();
  if (tables_folder.empty() ? !vidur : !mlp.empty() || !attention.empty()) {
    in.errors().push_back(
        {in.path() + ": {folder: FOLDER} of LLMServingSim or {mlp: FILE, attention: FILE} of Vidur is needed",
         in.where()});
    return {};
  }
  const std::int64_t tensor = c.plan.parallel.tensor;
  const Result<ProfileTables> tables =
      vidur ? read_vidur_profile(mlp, attention, tensor) : read_llmservingsim_profile(tables_folder, tensor);
  if (!tables) {
    take_errors(in.errors(), tables.error(), in.where(), in.path() + ": ");
    return {};
  }
  if (const std::string why = not_profiled(c, *tables); !why.empty()) {
    in.errors().push_back({in.path() + ": " + why, in.where()});
    return {};
  }
  const Architecture& model = c.model();
  ProfiledNetwork network{.layers = model.layers};
  if (model.moe) {
    network.experts = model.moe->experts;
    network.experts_per_token = model.moe->top_k;
  }
  const std::vector<fs::path> files = vidur ? std::vector{mlp, attention} : tables_in(tables_folder);
  return {.layers = std::make_shared<const LayerProfile>(*tables, network),
          .source = fmt::format(
              "profile {} (hash {}), measured on {}",
              vidur ? mlp.string() + ", " + attention.string() : tables_folder.string(), hash_of(files),
              tables->network.device.empty() ? "a device that it does not name" : tables->network.device)};
}

bool profile_follows(std::string_view path) {
  constexpr std::array sections{"serving.", "launch.batch_buckets", "workload.", "draws."};
  return std::any_of(sections.begin(), sections.end(),
                     [&](std::string_view section) { return path.starts_with(section); });
}

}  // namespace inferometer
