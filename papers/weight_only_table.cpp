#include "papers/weight_only_table.hpp"

#include <fmt/format.h>

#include <map>

#include "papers/engine.hpp"
#include "papers/paper_row.hpp"

namespace inferometer {
namespace {

struct Cell {
  std::int64_t batch = 1, context = 1;
  PaperRow row;
};

/// Time of a decode step, and of the products of the layers in it, without the gaps before those.
struct StepTimes {
  double all = 0, products = 0;
  double speed_up(double rho) const { return all / (all - products * (1 - 1 / rho)); }
  /// The rho that gives `speed_up`. Not positive: not even products in no time do.
  double rho(double speed_up) const { return 1 / (1 - all / products * (1 - 1 / speed_up)); }
};

StepTimes times_of(const PublishedEngine& engine, std::int64_t batch, std::int64_t context) {
  const Prediction p = engine.prediction(equal_sequences(batch, 1, context - 1));
  StepTimes t{.all = Seconds{p.timeline.end}.count()};
  for (std::size_t i = 0; i < p.nodes.size(); ++i) {
    const StructureNode& node = engine.structure().nodes[i];
    if (std::holds_alternative<Linear>(node.op) && node.role != Role::lm_head)
      t.products += (p.nodes[i].time() - p.gaps[i]).count();
  }
  return t;
}

}  // namespace

std::vector<PaperRow> weight_only_rows(Reader& in, const DeviceFile& device, const Library& library,
                                       std::vector<std::string>& fitted) {
  const std::size_t before = in.errors().size();
  const auto engine = read_engine(in.required_mapping("engine"), device, library);
  const double mean = in.required<double>("mean_context");
  if (in.has("mean_context") && !(mean >= 1 && mean <= 1000)) in.error("mean_context", "must be 1 to 1000");
  const std::int64_t fitted_context = read_count(in, "fitted_context");
  std::vector<Cell> cells;
  std::map<std::int64_t, double> rhos;
  const auto mean_of = [&](const Cell& c) {
    return static_cast<std::int64_t>(mean * static_cast<double>(c.context));
  };
  for (Reader& row : read_rows(in, "rows")) {
    Cell c{
        .batch = read_count(row, "batch"), .context = read_count(row, "context"), .row = read_paper_row(row)};
    c.row.label = fmt::format("batch {}, context {}", c.batch, c.context);
    c.row.unit = "x";
    row.reject_unknown_keys();
    if (in.errors().size() == before && c.context == fitted_context) {
      const double rho = times_of(*engine, c.batch, mean_of(c)).rho(c.row.published.low);
      if (!(rho > 0)) row.error("published", "products in no time would not give as much");
      rhos[c.batch] = rho;
      fitted.push_back(fmt::format("batch {}: products {:.2f} times as fast, from context {}", c.batch, rho,
                                   fitted_context));
      c.row.scored = false;
      c.row.note = "fitted";
    }
    cells.push_back(std::move(c));
  }
  std::vector<PaperRow> rows;
  for (Cell& c : cells) {
    if (in.errors().size() > before) break;
    if (!rhos.contains(c.batch)) {
      in.error("rows", fmt::format("batch {} has no cell at context {}, to fit to", c.batch, fitted_context));
      break;
    }
    c.row.predicted = times_of(*engine, c.batch, mean_of(c)).speed_up(rhos.at(c.batch));
    rows.push_back(std::move(c.row));
  }
  return rows;
}

}  // namespace inferometer
