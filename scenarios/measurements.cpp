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
  Errors errors;
  std::vector<std::string> columns;
  const MeasuredKind* kind = nullptr;
  int line = 0;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    const std::string_view of_line = std::string_view{text}.substr(start, end - start);
    start = end + 1;
    if (++line == 1) {
      columns = columns_of(of_line);
      kind = kind_of(columns);
      if (kind == nullptr)
        return failure("no kernel has these columns; expected " + expected_columns(), {file, 1, 1});
      continue;
    }
    std::vector<Field> fields = fields_of(of_line);
    if (fields.size() == 1 && fields[0].text.empty()) continue;
    if (fields.size() != columns.size()) {
      errors.push_back({fmt::format("{} fields where the header names {}", fields.size(), columns.size()),
                        {file, line, 1}});
      continue;
    }
    Row row(columns, std::move(fields), file, line, errors);
    KernelCall call = kind->read(row);
    rows.push_back({std::move(call), row.positive<double>("latency_us"), line, kind->resolution});
  }
  if (kind == nullptr) return failure("the file is empty; a header line is needed", {file, 1, 1});
  if (!errors.empty()) return failure(std::move(errors));
  if (rows.empty()) return failure("the file has no rows", {file, 1, 1});
  return rows;
}

}  // namespace inferometer
