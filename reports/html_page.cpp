#include "reports/html_page.hpp"

#include "reports/svg.hpp"

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

}  // namespace

std::string html_page(std::string_view title, std::string_view description, const std::string& body) {
  return "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
         "content=\"width=device-width, initial-scale=1\"><title>" +
         escape_html(title) + " – inferometer</title>\n<style>" + std::string{style} +
         "</style></head><body>\n<h1>" + escape_html(title) + "</h1>\n<p class=\"soft\">" +
         escape_html(description) + "</p>\n" + body + "</body></html>\n";
}

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

}  // namespace inferometer
