#include "scenarios/measurements.hpp"

#include "scenarios/measured_calls.hpp"

namespace inferometer {
namespace {

const MeasuredKind* kind_of(const std::vector<std::string>& columns) {
  const auto has = [&](std::string_view c) {
    return std::find(columns.begin(), columns.end(), c) != columns.end();
  };
  for (const MeasuredKind& kind : measured_kinds()) {
    if (has("latency_us") && std::all_of(kind.columns.begin(), kind.columns.end(), has)) return &kind;
  }
  return nullptr;
}

std::string expected_columns() {
  std::string all;
  for (const MeasuredKind& kind : measured_kinds()) {
    all += all.empty() ? "" : ", or ";
    for (const std::string_view c : kind.columns) all += std::string{c} + ",";
    all += "latency_us";
  }
  return all;
}

std::vector<std::string> columns_of(std::string_view line) {
  std::vector<std::string> columns;
  for (const Field& f : fields_of(line)) columns.emplace_back(f.text);
  return columns;
}

}  // namespace

bool times_known_kernels(const std::string& text) {
  return kind_of(columns_of(std::string_view{text}.substr(0, text.find('\n')))) != nullptr;
}

Result<std::vector<Measurement>> read_measurements(const std::string& text, const std::string& file) {
  std::vector<Measurement> rows;
  const MeasuredKind* kind = nullptr;
  const Done read = for_each_row(
      text, file,
      [&](const std::vector<std::string>& columns) -> std::string {
        kind = kind_of(columns);
        return kind != nullptr ? "" : "no kernel has these columns; expected " + expected_columns();
      },
      [&](Row& row, int line) {
        KernelCall call = kind->read(row);
        rows.push_back({std::move(call), row.positive<double>("latency_us"), line, kind->resolution});
      });
  if (!read) return failure(read.error());
  return rows;
}

}  // namespace inferometer
