#include "scenarios/profile_files.hpp"

#include <functional>

#include "model/reader.hpp"
#include "roofline/profiles/profile_layers.hpp"
#include "scenarios/csv_row.hpp"
#include "scenarios/files.hpp"
#include "scenarios/yaml_document.hpp"

namespace inferometer {
namespace {

namespace fs = std::filesystem;
using Columns = std::vector<std::string>;

bool has(const Columns& columns, std::string_view name) {
  return std::find(columns.begin(), columns.end(), name) != columns.end();
}

std::string missing(const Columns& columns, const Columns& needed) {
  for (const std::string& name : needed) {
    if (!has(columns, name)) return "no column " + name;
  }
  return "";
}

/// A table of a file; its errors join the others.
void read_table(const fs::path& file, const std::function<std::string(const Columns&)>& refuse,
                const std::function<void(Row&)>& take, Errors& errors) {
  const auto add = [&](const Errors& more) { errors.insert(errors.end(), more.begin(), more.end()); };
  const Result<std::string> text = read_file(file);
  if (!text) return add(text.error());
  const Done read = for_each_row(*text, file.string(), refuse, [&](Row& row, int) { take(row); });
  if (!read) add(read.error());
}

Seconds microseconds(Row& row, std::string_view column) {
  return Seconds{row.positive<double>(column) * 1e-6};
}

/// One of LLMServingSim's tables.
struct ProfileFolder {
  fs::path folder;
  std::string prefix;
  Errors errors;

  void fail(const Errors& more) { errors.insert(errors.end(), more.begin(), more.end()); }
  std::optional<fs::path> find(std::string_view table) const {
    for (const std::string& name : {std::string{table}, prefix + std::string{table}}) {
      if (fs::path file = folder / (name + ".csv"); fs::exists(file)) return file;
    }
    return std::nullopt;
  }
  fs::path needed(std::string_view table) const {
    return find(table).value_or(folder / (std::string{table} + ".csv"));
  }
  /// Rows with a time in one of the two columns that have had it.
  void timed(const fs::path& file, const Columns& columns, const std::function<void(Row&, Seconds)>& take) {
    const auto time_column = [](const auto& there) { return there("time_us") ? "time_us" : "latency_us"; };
    read_table(
        file,
        [&](const Columns& have) {
          Columns all = columns;
          all.emplace_back(time_column([&](std::string_view c) { return has(have, c); }));
          return missing(have, all);
        },
        [&](Row& row) {
          take(row, microseconds(row, time_column([&](std::string_view c) { return row.has(c); })));
        },
        errors);
  }
  void layers(std::string_view table, const std::string& size, std::vector<ProfileTables::Layer>& out) {
    timed(needed(table), {"layer", size}, [&](Row& row, Seconds time) {
      const auto at = row.positive<double>(size);
      if (const ProfileLayer* layer = profile_layer(row.field("layer").text)) {
        out.push_back({layer->name, at, time});
      } else {
        std::string known;
        for (const ProfileLayer& l : profile_layers)
          known += (known.empty() ? "" : ", ") + std::string{l.name};
        row.error(row.field("layer"),
                  fmt::format("layer: \"{}\" is not one of {}", row.field("layer").text, known));
      }
    });
  }
};

double count(Row& row, std::string_view column) { return static_cast<double>(row.not_negative(column)); }

void read_skew(ProfileFolder& in, const fs::path& file, std::vector<ProfileTables::Skew>& out) {
  const Columns columns{"regime", "n", "t_mean_us", "t_max_us", "t_skew_us"};
  read_table(
      file, [&](const Columns& have) { return missing(have, columns); },
      [&](Row& row) {
        const Field& regime = row.field("regime");
        if (regime.text != "pure" && regime.text != "mixed")
          row.error(regime, fmt::format("regime: \"{}\" is neither pure nor mixed", regime.text));
        out.push_back({regime.text == "mixed", row.positive<double>("n"), microseconds(row, "t_mean_us"),
                       microseconds(row, "t_max_us"), microseconds(row, "t_skew_us")});
      },
      in.errors);
}

/// What is said beside the tables: whether the profile's owner lets simulations use its skew, and of what
/// network and device it is.
void read_meta(ProfileFolder& in, ProfileTables& tables) {
  for (const fs::path& file :
       {in.folder / "meta.yaml", in.folder / "profile_meta.yaml", in.folder.parent_path() / "meta.yaml"}) {
    if (!fs::exists(file)) continue;
    const Result<std::string> text = read_file(file);
    if (!text) return in.fail(text.error());
    const Result<Document> document = parse_yaml(*text, file.string());
    if (!document) return in.fail(document.error());
    Reader meta(*document, "", in.errors);
    if (std::optional<Reader> fit = meta.maybe_mapping("skew_fit"))
      tables.skew_applies = fit->optional<bool>("enabled", true);
    ProfileTables::Network& network = tables.network;
    network.device = meta.optional<std::string>("gpu", "");
    network.dtype = meta.optional<std::string>("variant", "");
    std::optional<Reader> engine = meta.maybe_mapping("engine_effective");
    std::optional<Reader> config = engine ? engine->maybe_mapping("hf_overrides") : std::nullopt;
    if (!config) return;
    network.hidden = config->optional<std::int64_t>("hidden_size", 0);
    network.heads = config->optional<std::int64_t>("num_attention_heads", 0);
    network.kv_heads = config->optional<std::int64_t>("num_key_value_heads", 0);
    network.intermediate = config->optional<std::int64_t>("intermediate_size", 0);
    network.vocab = config->optional<std::int64_t>("vocab_size", 0);
    return;
  }
}

std::string median_of(std::string_view op) { return fmt::format("time_stats.{}.median", op); }

/// Vidur's, in ms; nothing where the field is empty.
std::optional<Seconds> median(Row& row, std::string_view op) {
  const std::string column = median_of(op);
  if (!row.has(column) || row.field(column).text.empty()) return std::nullopt;
  return Seconds{row.positive<double>(column) * 1e-3};
}

}  // namespace

Result<ProfileTables> read_llmservingsim_profile(const fs::path& folder, std::int64_t tensor_parallel) {
  ProfileFolder in{.folder = folder, .prefix = fmt::format("profile_tp{}_", tensor_parallel), .errors = {}};
  ProfileTables tables;
  in.layers("dense", "tokens", tables.dense);
  in.layers("per_sequence", "sequences", tables.per_sequence);
  in.timed(in.needed("attention"), {"prefill_chunk", "kv_prefill", "n_decode", "kv_decode"},
           [&](Row& row, Seconds time) {
             tables.attention.push_back({count(row, "prefill_chunk"), count(row, "kv_prefill"),
                                         count(row, "n_decode"), count(row, "kv_decode"), time});
           });
  for (const char* name : {"skew", "decode_skew"}) {
    if (const auto file = in.find(name)) read_skew(in, *file, tables.skew);
  }
  read_meta(in, tables);
  if (const auto file = in.find("moe")) {
    in.timed(*file, {"tokens", "activated_experts"}, [&](Row& row, Seconds time) {
      tables.experts.push_back(
          {row.positive<double>("tokens"), row.positive<double>("activated_experts"), time});
    });
  }
  if (!in.errors.empty()) return failure(std::move(in.errors));
  return tables;
}

Result<ProfileTables> read_vidur_profile(const fs::path& mlp, const fs::path& attention,
                                         std::int64_t tensor_parallel) {
  static constexpr std::string_view degree = "num_tensor_parallel_workers";
  Errors errors;
  ProfileTables tables;
  read_table(
      mlp,
      [&](const Columns& have) {
        return missing(have, {"num_tokens", std::string{degree}, median_of("mlp_up_proj")});
      },
      [&](Row& row) {
        if (row.positive<std::int64_t>(degree) != tensor_parallel) return;
        ProfileTables::Network& network = tables.network;
        for (auto [column, value] : {std::pair{"n_embd", &network.hidden},
                                     {"n_head", &network.heads},
                                     {"n_kv_head", &network.kv_heads},
                                     {"n_expanded_embd", &network.intermediate},
                                     {"vocab_size", &network.vocab}}) {
          if (row.has(column)) *value = row.positive<std::int64_t>(column);
        }
        const auto tokens = row.positive<double>("num_tokens");
        for (const ProfileLayer& layer : profile_layers) {
          if (const auto time = median(row, layer.name)) tables.dense.push_back({layer.name, tokens, *time});
        }
      },
      errors);
  read_table(
      attention,
      [&](const Columns& have) {
        return missing(have, {"batch_size", "prefill_chunk_size", "kv_cache_size", "is_prefill",
                              std::string{degree}, median_of("attn_prefill"), median_of("attn_decode")});
      },
      [&](Row& row) {
        if (row.positive<std::int64_t>(degree) != tensor_parallel) return;
        const Field& flag = row.field("is_prefill");
        const bool prefill = flag.text == "True";
        if (!prefill && flag.text != "False")
          row.error(flag, fmt::format("is_prefill: \"{}\" is neither True nor False", flag.text));
        const std::string_view op = prefill ? "attn_prefill" : "attn_decode";
        const auto time = median(row, op);
        if (!time) return row.error(row.field(median_of(op)), median_of(op) + ": is empty");
        const Seconds whole = *time + median(row, "attn_kv_cache_save").value_or(Seconds{0});
        const double cached = count(row, "kv_cache_size");
        tables.attention.push_back(
            prefill
                ? ProfileTables::Attention{row.positive<double>("prefill_chunk_size"), cached, 0, 0, whole}
                : ProfileTables::Attention{0, 0, row.positive<double>("batch_size"), cached, whole});
      },
      errors);
  const auto none = [&](const fs::path& file) {
    errors.push_back({fmt::format("no row with {} {}", degree, tensor_parallel), {file.string(), 1, 1}});
  };
  if (errors.empty()) {
    if (tables.dense.empty()) none(mlp);
    if (tables.attention.empty()) none(attention);
  }
  if (!errors.empty()) return failure(std::move(errors));
  return tables;
}

}  // namespace inferometer
