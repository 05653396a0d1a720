#include "reports/beside.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace inferometer {
namespace {

std::string ms(Nanoseconds t) {
  return fmt::format("{:.3f}", std::chrono::duration<double, std::milli>(t).count());
}

Table::Row row(const VariantResult& v, const PhaseResult& p, const std::string& what, const BesideTimes& t) {
  const CopyBeside& copy = p.features.copy_beside;
  return {
      {v.name, p.name,
       fmt::format("{:.1f} MiB {}", static_cast<double>(copy.bytes.value) / (1 << 20), name(copy.direction)),
       what, ms(t.step_alone), ms(t.copy_alone), ms(t.step), ms(t.copy), ms(t.both),
       fmt::format("{:+.1f} %", 100 * (t.stretch() - 1)), fmt::format("{:.0f} %", 100 * t.overlap())},
      false};
}

}  // namespace

std::optional<Table> beside_table(const StudyResult& study) {
  Table t{
      "A step and the copy that begins with it [ms]. Overlap: what running both together saves, of the "
      "shorter of the two alone",
      {{"variant", false},
       {"phase", false},
       {"copy", false},
       {"", false},
       {"step alone"},
       {"copy alone"},
       {"step beside"},
       {"copy beside"},
       {"both"},
       {"stretch"},
       {"overlap"}},
      {}};
  for (const VariantResult& v : study.variants) {
    for (const PhaseResult& p : v.phases) {
      if (p.beside_predicted) t.rows.push_back(row(v, p, "predicted", *p.beside_predicted));
      if (p.beside_measured) t.rows.push_back(row(v, p, "measured", *p.beside_measured));
    }
  }
  return t.rows.empty() ? std::nullopt : std::optional{std::move(t)};
}

std::string beside_text(const StudyResult& study) {
  const std::optional<Table> t = beside_table(study);
  if (!t) return "";
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < t->columns.size(); ++c) {
    widths.push_back(t->columns[c].title.size());
    for (const Table::Row& row : t->rows) widths[c] = std::max(widths[c], row.cells[c].size());
  }
  std::string text = t->caption + "\n";
  const auto line = [&](auto cell) {
    for (std::size_t c = 0; c < widths.size(); ++c) {
      const std::string before = c == 0 ? "" : "  ";
      text += before + (t->columns[c].number ? fmt::format("{:>{}}", cell(c), widths[c])
                                             : fmt::format("{:<{}}", cell(c), widths[c]));
    }
    text += '\n';
  };
  line([&](std::size_t c) { return t->columns[c].title; });
  for (const Table::Row& row : t->rows) line([&](std::size_t c) { return row.cells[c]; });
  return text + '\n';
}

}  // namespace inferometer
