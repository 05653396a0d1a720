#include <algorithm>

#include "reports/beside.hpp"
#include "reports/charts.hpp"
#include "reports/conditions.hpp"
#include "reports/energy_tables.hpp"
#include "reports/html_page.hpp"
#include "reports/pool_tables.hpp"
#include "reports/reports.hpp"
#include "reports/serving_tables.hpp"
#include "reports/svg.hpp"
#include "reports/tables.hpp"

namespace inferometer {
namespace {

std::string cost_lines(const StudyResult& study) {
  std::string text;
  for (const std::string& note : cost_notes(study))
    text += "<p class=\"soft\">" + escape_html(note) + "</p>\n";
  return text;
}

std::string results_section(const StudyResult& study, const Quality& quality) {
  std::string text = html(results(study, quality));
  if (const std::string note = throttled_note(study); !note.empty())
    text += "<p class=\"soft\">" + escape_html(note) + "</p>\n";
  if (const auto beside = beside_table(study)) text += html(*beside);
  if (const auto energy = energy_table(study)) text += html(*energy);
  text += cost_lines(study);
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
  for (const Table& table :
       {serving_costs(study), pool_table(study), transfer_table(study), serving_errors(study)})
    if (!table.rows.empty()) text += html(table);
  for (const std::string& note : serving_notes(study))
    text += "<p class=\"soft\">" + escape_html(note) + "</p>\n";
  text += cost_lines(study);
  std::vector<const VariantResult*> served;
  for (const VariantResult& v : study.variants) {
    if (v.serving) served.push_back(&v);
  }
  const Seconds delay = study.scenario.traffic->client_delay;
  const std::string seen = delay.count() > 0 ? ", as a client sees it" : "";
  text += "<h2>Latencies</h2>\n" +
          figure(ttft_cdf(study), "time to first token" + seen + ", part of the requests within it");
  text += figure(tpot_cdf(study), "time per output token");
  text +=
      figure(e2el_cdf(study), (delay.count() > 0 ? "request to last token" : "arrival to last token") + seen);
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
  const bool judged = std::any_of(served.begin(), served.end(), [](const VariantResult* v) {
    return v->serving->predicted.metrics.slo_attainment.has_value();
  });
  if (!judged) return text;
  text += "<h2>Requests and the service level</h2>\n";
  for (const VariantResult* v : served)
    text += figure(slo_chart(*v), escape_html(v->name) + ": time to first token" + seen +
                                      " and per output token of requests, predicted" +
                                      key("decode", "within the SLO") + key("prefill", "not"));
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
  std::string text;
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
  text += html(provenance_table(study));
  return html_page(study.scenario.name, study.scenario.description, text);
}

}  // namespace inferometer
