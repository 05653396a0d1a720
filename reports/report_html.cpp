#include "reports/beside.hpp"
#include "reports/charts.hpp"
#include "reports/conditions.hpp"
#include "reports/pool_tables.hpp"
#include "reports/reports.hpp"
#include "reports/serving_tables.hpp"
#include "reports/svg.hpp"
#include "reports/tables.hpp"

namespace inferometer {
namespace {

constexpr std::string_view style = R"css(
:root { --ink: #1b1f24; --soft: #5c6670; --paper: #ffffff; --panel: #f5f6f8; --rule: #dfe3e8;
  --predicted: #8fb4e8; --measured: #1f5fae; --product: #4f81bd; --attention: #d98532; --other: #7aa874;
  --gap: #c9ced6; --link: #a35fb0; --prefill: #b2452f; --decode: #1f5fae; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7eb; --soft: #9aa4af; --paper: #15181c;
  --panel: #1d2126; --rule: #343b43; --predicted: #43618c; --measured: #7fb0f0; --gap: #4a525c;
  --prefill: #ee8a70; --decode: #7fb0f0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1240px; padding: 24px 20px 60px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 28px; margin: 0 0 4px; } h2 { font-size: 20px; margin: 40px 0 8px; }
h3 { font-size: 16px; margin: 24px 0 6px; } p { margin: 6px 0; } .soft, figcaption, caption { color: var(--soft); }
.verdict { background: var(--panel); border-left: 4px solid var(--measured); padding: 12px 16px; margin: 18px 0; }
figure { margin: 12px 0; overflow-x: auto; } svg { width: 100%; min-width: 620px; height: auto; }
.scroll { overflow-x: auto; margin: 10px 0 18px; } table { border-collapse: collapse; font-size: 13.5px; width: 100%; }
caption { text-align: left; padding: 4px 0; } th, td { padding: 3px 9px; text-align: left; white-space: nowrap;
  border-bottom: 1px solid var(--rule); } th { font-weight: 600; border-bottom-width: 2px; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; } tr.strong td { font-weight: 650; }
td:last-child { white-space: normal; } details { margin: 6px 0; } summary { cursor: pointer; font-weight: 600; padding: 3px 0; }
.key { display: inline-block; width: 12px; height: 12px; margin: 0 5px 0 14px; vertical-align: -1px; border-radius: 2px; }
.label { fill: var(--ink); font-size: 14px; } .value, .tick { fill: var(--soft); font-size: 12.5px; }
.end { text-anchor: end; } .middle { text-anchor: middle; } .grid { stroke: var(--rule); stroke-width: 1; }
.roof { stroke: var(--ink); stroke-width: 1.6; } .whisker { stroke: var(--ink); stroke-width: 1.4; }
rect.predicted, .k-predicted { fill: var(--predicted); background: var(--predicted); }
rect.measured, .k-measured { fill: var(--measured); background: var(--measured); }
rect.product, .k-product { fill: var(--product); background: var(--product); }
rect.attention, .k-attention { fill: var(--attention); background: var(--attention); }
rect.other, .k-other { fill: var(--other); background: var(--other); }
rect.gap, .k-gap { fill: var(--gap); background: var(--gap); }
rect.link, .k-link { fill: var(--link); background: var(--link); }
circle.prefill { fill: var(--prefill); stroke: var(--prefill); } circle.decode { fill: var(--decode); stroke: var(--decode); }
circle.hollow { fill: none; stroke-width: 1.6; } circle.solid { fill-opacity: .75; }
.k-prefill { background: var(--prefill); } .k-decode { background: var(--decode); }
@media print { body { max-width: none; } details { break-inside: avoid; } }
)css";

std::string html(const Table& t) {
  std::string text =
      "<div class=\"scroll\"><table><caption>" + escape_html(t.caption) + "</caption><thead><tr>";
  for (const Table::Column& c : t.columns)
    text += std::string{c.number ? "<th class=\"n\">" : "<th>"} + escape_html(c.title) + "</th>";
  text += "</tr></thead><tbody>\n";
  for (const Table::Row& row : t.rows) {
    text += row.strong ? "<tr class=\"strong\">" : "<tr>";
    for (std::size_t i = 0; i < row.cells.size(); ++i)
      text += std::string{t.columns[i].number ? "<td class=\"n\">" : "<td>"} + escape_html(row.cells[i]) +
              "</td>";
    text += "</tr>\n";
  }
  return text + "</tbody></table></div>\n";
}

std::string key(std::string_view css, std::string_view what) {
  return fmt::format("<span class=\"key k-{}\"></span>{}", css, what);
}

std::string figure(const std::string& chart, const std::string& caption) {
  return "<figure>" + chart + "<figcaption>" + caption + "</figcaption></figure>\n";
}

std::string results_section(const StudyResult& study, const Quality& quality) {
  std::string text = html(results(study, quality));
  if (const std::string note = throttled_note(study); !note.empty())
    text += "<p class=\"soft\">" + escape_html(note) + "</p>\n";
  if (const auto beside = beside_table(study)) text += html(*beside);
  for (const VariantResult& v : study.variants) {
    if (!v.not_measured.empty())
      text += "<p class=\"soft\">" + escape_html(v.name + ": not measured: " + v.not_measured) + "</p>\n";
  }
  for (std::size_t p = 0; p < study.variants.front().phases.size(); ++p) {
    text += "<h3>Time per step, " + escape_html(study.variants.front().phases[p].name) + "</h3>\n";
    text += figure(step_time_bars(study, p),
                   key("predicted", "predicted") + key("measured", "measured, median; line: 10 to 90 %"));
  }
  return text;
}

std::string serving_section(const StudyResult& study) {
  std::string text = "<p class=\"soft\">" + escape_html(study.scenario.traffic->source) + "</p>\n" +
                     html(serving_latencies(study)) + html(serving_capacity(study));
  for (const Table& table : {pool_table(study), transfer_table(study), serving_errors(study)})
    if (!table.rows.empty()) text += html(table);
  for (const std::string& note : serving_notes(study))
    text += "<p class=\"soft\">" + escape_html(note) + "</p>\n";
  std::vector<const VariantResult*> served;
  for (const VariantResult& v : study.variants) {
    if (v.serving) served.push_back(&v);
  }
  text +=
      "<h2>Latencies</h2>\n" + figure(ttft_cdf(study), "time to first token, part of the requests within it");
  text += figure(tpot_cdf(study), "time per output token");
  for (const VariantResult* v : served) {
    if (!v->serving->executed) continue;
    text += "<h3>Each step, " + escape_html(v->name) + "</h3>\n";
    text += figure(step_scatter(*v), "on the line: predicted as executed" + key("prefill", "with prompts") +
                                         key("decode", "decodes only"));
  }
  text += "<h2>Load over time</h2>\n";
  for (const VariantResult* v : served)
    text += figure(load_chart(*v),
                   escape_html(v->name) + ": of an instance at work, predicted; each curve by its own scale");
  if (!study.scenario.level.ttft || !study.scenario.level.tpot) return text;
  text += "<h2>Requests and the service level</h2>\n";
  for (const VariantResult* v : served)
    text += figure(slo_chart(*v), escape_html(v->name) +
                                      ": time to first token and per output token of requests, predicted" +
                                      key("decode", "within both") + key("prefill", "not"));
  return text;
}

std::string why_section(const StudyResult& study) {
  const VariantResult& baseline = study.variants.front();
  std::string text =
      "<h2>Why</h2>\n<p>FLOPs, bytes, wave/tile and launch are what the kernel models say of each operator "
      "alone; "
      "overlap/gap is what the simulated step adds or hides; unexplained is measured minus predicted. The "
      "six "
      "columns of a row sum to its measured time or change, or to the predicted one where nothing was "
      "measured.</p>\n";
  for (const PhaseResult& phase : baseline.phases) text += html(step_table(baseline, phase));
  if (study.variants.size() > 1) text += "<h3>Each variant against the baseline</h3>\n";
  for (std::size_t i = 1; i < study.variants.size(); ++i) {
    const VariantResult& v = study.variants[i];
    text +=
        "<details" + std::string{i == 1 ? " open" : ""} + "><summary>" + escape_html(v.name) + "</summary>\n";
    for (std::size_t p = 0; p < v.phases.size() && p < baseline.phases.size(); ++p)
      text += html(difference_table(baseline, v, p));
    text += "</details>\n";
  }
  return text;
}

std::string pictures_section(const StudyResult& study) {
  std::string text = "<h2>Roofline of the baseline</h2>\n";
  text += figure(roofline_chart(study),
                 "hollow: predicted, filled: measured" + key("prefill", "prefill") + key("decode", "decode"));
  text += "<h2>One step on the clock</h2>\n";
  for (std::size_t p = 0; p < study.variants.front().phases.size(); ++p) {
    text += "<h3>" + escape_html(study.variants.front().phases[p].name) + "</h3>\n";
    text += figure(timeline_chart(study, p),
                   "upper lane predicted, lower measured" + key("product", "matrix products") +
                       key("attention", "attention, cache, rope") +
                       key("other", "norms, gates, routing, sampling") + key("link", "links, copies beside") +
                       key("gap", "gaps and host"));
  }
  return text;
}

}  // namespace

std::string report_html(const StudyResult& study) {
  const Quality quality = quality_of(study);
  const std::string title = escape_html(study.scenario.name);
  std::string text =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\"><title>" +
      title + " – inferometer</title>\n<style>" + std::string{style} + "</style></head><body>\n";
  text += "<h1>" + title + "</h1>\n<p class=\"soft\">" + escape_html(study.scenario.description) + "</p>\n";
  if (study.scenario.traffic) {
    text += "<p class=\"verdict\">" + escape_html(serving_verdict(study)) + "</p>\n" + serving_section(study);
  } else {
    text += "<p class=\"verdict\">" + escape_html(verdict(quality)) + "</p>\n";
    text += results_section(study, quality) + why_section(study) + pictures_section(study);
  }
  if (const Table t = conditions_table(study); !t.rows.empty())
    text += "<h2>Power, clocks and throttling</h2>\n" + html(t);
  text += "<h2>Memory, settings, provenance</h2>\n" + html(memory_table(study));
  if (study.variants.size() > 1) text += html(changed_settings(study));
  return text + html(provenance_table(study)) + "</body></html>\n";
}

}  // namespace inferometer
