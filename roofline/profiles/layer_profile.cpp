#include "roofline/profiles/layer_profile.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "model/result.hpp"
#include "roofline/profiles/profile_layers.hpp"

namespace inferometer {
namespace {

/// The sum of several layers, each a piecewise linear function, is one with all of their corners.
InterpolatedTable sum_of(const std::vector<ProfileTables::Layer>& points, std::int64_t ProfileLayer::*times) {
  std::map<std::string_view, std::vector<InterpolatedTable::Value>> by_name;
  std::set<double> corners;
  for (const ProfileTables::Layer& p : points) {
    const ProfileLayer* layer = profile_layer(p.name);
    require(layer != nullptr, "a profile has a layer that is not in the list");
    if (layer->*times == 0) continue;
    by_name[p.name].push_back({{p.at}, p.time.count() * static_cast<double>(layer->*times)});
    corners.insert(p.at);
  }
  std::vector<InterpolatedTable> tables;
  for (auto& [name, values] : by_name) tables.emplace_back(std::move(values));
  std::vector<InterpolatedTable::Value> sums;
  for (const double at : corners) {
    double sum = 0;
    for (const InterpolatedTable& t : tables) sum += t.at({at});
    sums.push_back({{at}, sum});
  }
  return InterpolatedTable(std::move(sums));
}

/// alpha by (mixed, decodes): minimises the sum of ((measured - mean - alpha (longest - mean)) / mean)^2.
InterpolatedTable fit_skew(const std::vector<ProfileTables::Skew>& batches) {
  std::map<std::pair<double, double>, std::pair<double, double>> sums;
  for (const ProfileTables::Skew& b : batches) {
    const double reach = b.all_longest / b.all_mean - 1, taken = b.measured / b.all_mean - 1;
    auto& [of_both, of_reach] = sums[{b.mixed ? 1.0 : 0.0, b.decodes}];
    of_both += reach * taken;
    of_reach += reach * reach;
  }
  std::vector<InterpolatedTable::Value> alphas;
  for (const auto& [at, sum] : sums) {
    if (sum.second > 0)
      alphas.push_back({{at.first, at.second}, std::clamp(sum.first / sum.second, 0.0, 1.0)});
  }
  return InterpolatedTable(std::move(alphas));
}

double mean(std::int64_t sum, std::int64_t count) {
  return count == 0 ? 0 : static_cast<double>(sum) / static_cast<double>(count);
}

}  // namespace

LayerProfile::LayerProfile(const ProfileTables& tables, const ProfiledNetwork& network)
    : network_(network),
      dense_in_layer_(sum_of(tables.dense, &ProfileLayer::in_layer)),
      dense_in_step_(sum_of(tables.dense, &ProfileLayer::in_step)),
      per_sequence_(sum_of(tables.per_sequence, &ProfileLayer::in_step)),
      skew_(tables.skew_applies ? fit_skew(tables.skew) : InterpolatedTable()) {
  std::vector<InterpolatedTable::Value> attention, experts;
  for (const ProfileTables::Attention& a : tables.attention) {
    attention.push_back({{a.prefill_chunk, a.kv_prefill, a.decodes, a.kv_decode}, a.time.count()});
    mixed_ = mixed_ || (a.prefill_chunk > 0 && a.decodes > 0);
  }
  for (const ProfileTables::Experts& e : tables.experts)
    experts.push_back({{e.tokens, e.activated}, e.time.count()});
  require(experts.empty() || network.experts > 0, "a profile times experts of a network that has none");
  attention_ = InterpolatedTable(std::move(attention));
  experts_ = InterpolatedTable(std::move(experts));
}

Seconds LayerProfile::time(const StepTotals& totals, const DecodeSpread& spread,
                           std::int64_t padded_tokens) const {
  const auto tokens = static_cast<double>(padded_tokens);
  double layer = dense_in_layer_.at({tokens}) + attention(totals, spread).count();
  if (!experts_.empty()) {
    const auto all = static_cast<double>(network_.experts),
               each = static_cast<double>(network_.experts_per_token);
    layer += experts_.at({tokens, all * (1 - std::pow(1 - each / all, tokens))});
  }
  return Seconds{static_cast<double>(network_.layers) * layer + dense_in_step_.at({tokens}) +
                 per_sequence_.at({static_cast<double>(totals.logit_rows)})};
}

Seconds LayerProfile::attention(const StepTotals& totals, const DecodeSpread& spread) const {
  const AttendedLengths& single = totals.attended.single;
  const AttendedLengths& prompts = totals.attended.prompts;
  const double decodes = static_cast<double>(single.count);
  const double length = mean(single.all - single.fresh, single.count);
  const double chunk = mean(prompts.fresh, prompts.count);
  const double history = mean(prompts.all - prompts.fresh, prompts.count);
  const double with_mean = attention_at(chunk, history, decodes, length);
  double time = with_mean;
  const auto longest = static_cast<double>(spread.longest);
  if (single.count > 1 && longest > length && !skew_.empty())
    time += skew(prompts.count > 0, single.count) *
            std::max(0.0, attention_at(chunk, history, decodes, longest) - with_mean);
  if (prompts.count > 1) {
    const double alone = attention_.at({chunk, history, 0, 0}), launch = attention_.at({1, 0, 0, 0});
    time += static_cast<double>(prompts.count - 1) * std::max(0.0, alone - launch);
  }
  return Seconds{time};
}

double LayerProfile::skew(bool mixed, std::int64_t decodes) const {
  return skew_.at({mixed ? 1.0 : 0.0, static_cast<double>(decodes)});
}

double LayerProfile::attention_at(double chunk, double kv_prefill, double decodes, double kv_decode) const {
  if (mixed_ || chunk == 0 || decodes == 0) return attention_.at({chunk, kv_prefill, decodes, kv_decode});
  return attention_.at({chunk, kv_prefill, 0, 0}) + attention_.at({0, 0, decodes, kv_decode});
}

std::int64_t padded(std::int64_t tokens, const std::vector<std::int64_t>& graph_sizes) {
  const auto size = std::lower_bound(graph_sizes.begin(), graph_sizes.end(), tokens);
  return size == graph_sizes.end() ? tokens : *size;
}

}  // namespace inferometer
