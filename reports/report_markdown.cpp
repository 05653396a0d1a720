#include <fmt/format.h>

#include "reports/beside.hpp"
#include "reports/conditions.hpp"
#include "reports/energy_tables.hpp"
#include "reports/pool_tables.hpp"
#include "reports/reports.hpp"
#include "reports/serving_tables.hpp"
#include "reports/tables.hpp"

namespace inferometer {
namespace {

/// A cell's text must not end its cell.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|' || c == '\\' || c == '<' || c == '*' || c == '_' || c == '`') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::string markdown(const Table& t) {
  std::string text = "**" + escaped(t.caption) + "**\n\n|", rule = "|";
  for (const Table::Column& c : t.columns) {
    text += " " + escaped(c.title) + " |";
    rule += c.number ? " ---: |" : " --- |";
  }
  text += "\n" + rule + "\n";
  for (const Table::Row& row : t.rows) {
    text += "|";
    for (const std::string& cell : row.cells)
      text += (row.strong ? " **" : " ") + escaped(cell) + (row.strong ? "** |" : " |");
    text += "\n";
  }
  return text + "\n";
}

std::string step_sections(const StudyResult& study) {
  const Quality quality = quality_of(study);
  std::string text = verdict(quality) + "\n\n" + markdown(results(study, quality));
  if (const std::string note = throttled_note(study); !note.empty()) text += escaped(note) + "\n\n";
  if (const auto beside = beside_table(study)) text += markdown(*beside);
  if (const auto energy = energy_table(study)) text += markdown(*energy);
  for (const std::string& note : cost_notes(study)) text += "* " + escaped(note) + "\n";
  return text;
}

std::string serving_sections(const StudyResult& study) {
  std::string text = escaped(study.scenario.traffic->source) + "\n\n" + markdown(serving_latencies(study)) +
                     markdown(serving_capacity(study));
  for (const Table& table :
       {serving_costs(study), pool_table(study), transfer_table(study), serving_errors(study)})
    if (!table.rows.empty()) text += markdown(table);
  for (const std::string& note : serving_notes(study)) text += "* " + escaped(note) + "\n";
  for (const std::string& note : cost_notes(study)) text += "* " + escaped(note) + "\n";
  return text;
}

}  // namespace

std::string report_markdown(const StudyResult& study) {
  std::string text = "# " + escaped(study.scenario.name) + "\n\n" + escaped(study.scenario.description) +
                     "\n\n" + (study.scenario.traffic ? serving_sections(study) : step_sections(study));
  for (const VariantResult& v : study.variants) {
    if (!v.not_measured.empty() && !study.scenario.traffic)
      text += "* " + escaped(v.name) + ": not measured: " + escaped(v.not_measured) + "\n";
  }
  const VariantResult& baseline = study.variants.front();
  if (!baseline.phases.empty()) text += "\n## Why\n\n";
  for (const PhaseResult& phase : baseline.phases) text += markdown(step_table(baseline, phase));
  for (std::size_t i = 1; i < study.variants.size(); ++i) {
    for (std::size_t p = 0; p < study.variants[i].phases.size() && p < baseline.phases.size(); ++p)
      text += markdown(difference_table(baseline, study.variants[i], p));
  }
  if (const Table t = conditions_table(study); !t.rows.empty())
    text += "## Power, clocks and throttling\n\n" + markdown(t);
  text += "## Memory, settings, provenance\n\n" + markdown(memory_table(study));
  if (study.variants.size() > 1) text += markdown(changed_settings(study));
  return text + markdown(provenance_table(study));
}

}  // namespace inferometer
