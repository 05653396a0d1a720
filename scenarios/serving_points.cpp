#include "scenarios/serving_points.hpp"

#include <array>

#include "scenarios/csv_row.hpp"

namespace inferometer {
namespace {

constexpr std::array<std::string_view, 15> needed{
    "system",      "backend",     "model",   "gemm_quant_mode", "isl",
    "osl",         "concurrency", "tp_size", "pp_size",         "attention_dp_size",
    "moe_tp_size", "moe_ep_size", "source",  "ttft_ms",         "tpot_ms"};

std::string name_in(Row& row, std::string_view column) {
  const Field& f = row.field(column);
  if (f.text.empty()) row.error(f, fmt::format("{}: a name is needed", column));
  return std::string{f.text};
}

ServingPoint read_point(Row& row, int line) {
  const auto count = [&](std::string_view column) { return row.positive<std::int64_t>(column); };
  return {.system = name_in(row, "system"),
          .backend = name_in(row, "backend"),
          .model = name_in(row, "model"),
          .products = name_in(row, "gemm_quant_mode"),
          .prompt_tokens = count("isl"),
          .output_tokens = count("osl"),
          .concurrency = count("concurrency"),
          .tensor = count("tp_size"),
          .pipeline = count("pp_size"),
          .attention_data = row.field("attention_dp_size").text.empty() ? 1 : count("attention_dp_size"),
          .expert_tensor = count("moe_tp_size"),
          .expert_parallel = count("moe_ep_size"),
          .ttft_ms = row.positive<double>("ttft_ms"),
          .tpot_ms = row.positive<double>("tpot_ms"),
          .source = name_in(row, "source"),
          .line = line};
}

}  // namespace

Result<std::vector<ServingPoint>> read_serving_points(const std::string& text, const std::string& file) {
  std::vector<ServingPoint> points;
  const Done read = for_each_row(
      text, file,
      [&](const std::vector<std::string>& columns) -> std::string {
        std::string missing;
        for (const std::string_view c : needed) {
          if (std::find(columns.begin(), columns.end(), c) == columns.end())
            missing += (missing.empty() ? "" : ",") + std::string{c};
        }
        return missing.empty() ? "" : "serving points need columns that are not here: " + missing;
      },
      [&](Row& row, int line) { points.push_back(read_point(row, line)); });
  if (!read) return failure(read.error());
  return points;
}

}  // namespace inferometer
