#include "simulator/serving/load_search.hpp"

#include <limits>

namespace inferometer {
namespace {

class Search {
 public:
  Search(const LoadProbe& probe, const LoadSearch& search) : probe_(probe), search_(search) {}

  Result<LoadEdge> run() {
    Result<bool> met = at(1);
    if (!met) return failure(met.error());
    // A run at the far end first: it says whether doubling, or halving, comes to an end.
    const double far = *met ? std::numeric_limits<double>::infinity() : search_.slowest;
    const Result<bool> met_far = at(far);
    if (!met_far) return failure(met_far.error());
    if (*met && *met_far) return end(LoadEdge::Kind::always_met);
    if (!*met && !*met_far) return end(LoadEdge::Kind::never_met);
    const double factor = *met ? 2 : 0.5;
    for (double load = factor; edge_.beyond > 2 * edge_.load && load > search_.slowest; load *= factor) {
      if (met = at(load); !met) return failure(met.error());
    }
    while (edge_.beyond > edge_.load * (1 + search_.tolerance)) {
      if (met = at(edge_.load + (edge_.beyond - edge_.load) / 2); !met) return failure(met.error());
    }
    return check_order();
  }

 private:
  /// Whether the level is met at this load, which moves the bracket.
  Result<bool> at(double load) {
    const Result<ServingMetrics> metrics = measure(load);
    if (!metrics) return failure(metrics.error());
    const bool met = good(*metrics);
    (met ? edge_.load : edge_.beyond) = load;
    (met ? edge_.met : edge_.missed) = *metrics;
    return met;
  }
  Result<ServingMetrics> measure(double load) {
    ++edge_.runs;
    return probe_(load);
  }
  bool good(const ServingMetrics& m) const { return m.slo_attainment.value_or(0) >= search_.attainment; }

  Result<LoadEdge> end(LoadEdge::Kind kind) {
    edge_.kind = kind;
    return edge_;
  }

  Result<LoadEdge> check_order() {
    for (const double away : {2 * search_.tolerance, 5 * search_.tolerance}) {
      const Result<ServingMetrics> below = measure(edge_.load / (1 + away)),
                                   above = measure(edge_.beyond * (1 + away));
      if (!below) return failure(below.error());
      if (!above) return failure(above.error());
      edge_.out_of_order += !good(*below) + good(*above);
    }
    return edge_;
  }

  const LoadProbe& probe_;
  const LoadSearch& search_;
  LoadEdge edge_;
};

}  // namespace

Result<LoadEdge> search_load(const LoadProbe& probe, const LoadSearch& search) {
  return Search(probe, search).run();
}

}  // namespace inferometer
