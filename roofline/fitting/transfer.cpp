#include "roofline/fitting/transfer.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "model/seeded.hpp"
#include "roofline/fitting/fit_model.hpp"
#include "roofline/fitting/in_parallel.hpp"

namespace inferometer {
namespace {

/// Samples of one operator and variant: of each device that has any.
using Devices = std::vector<std::vector<Sample>>;

/// At most `options.rows` of the samples, in their order.
std::vector<Sample> drawn(const std::vector<Sample>& samples, const std::vector<std::size_t>& members,
                          const TransferOptions& options) {
  std::map<std::uint64_t, std::size_t> in_draw_order;
  for (const std::size_t i : members) in_draw_order.emplace(mix(mix(options.seed) + i), i);
  std::vector<std::size_t> places;
  for (const auto& [key, i] : in_draw_order) {
    if (places.size() < options.rows) places.push_back(i);
  }
  std::sort(places.begin(), places.end());
  std::vector<Sample> of;
  for (const std::size_t i : places) of.push_back(samples[i]);
  return of;
}

/// All samples but those of device `without`.
std::vector<Sample> joined(const Devices& devices, std::size_t without) {
  std::vector<Sample> all;
  for (std::size_t d = 0; d < devices.size(); ++d) {
    if (d != without) all.insert(all.end(), devices[d].begin(), devices[d].end());
  }
  return all;
}

ErrorRange missed_when_left_out(const Devices& devices) {
  if (devices.size() < 2) return {};
  std::vector<ShapeError> errors;
  for (std::size_t d = 0; d < devices.size(); ++d) {
    const std::vector<double> values = fit_model(joined(devices, d));
    for (const double e : log_ratios(devices[d], values)) errors.push_back({e, errors.size()});
  }
  return error_range(errors);
}

Validation judge(const OperatorAndVariant& key, const Devices& devices, const std::vector<Sample>& predicted,
                 const std::vector<std::size_t>& members, Level level) {
  const std::vector<Sample> all = joined(devices, devices.size());
  Validation v{.op = key.first, .variant = key.second, .fitted = all.size(), .values = fit_model(all)};
  ResidualLayer layer;
  if (level == Level::residual_corrected) layer = ResidualLayer(all, log_ratios(all, v.values));
  v.residual = layer.on();
  v.too_few = too_few(all.size(), v.values.size());
  v.intervals = devices.size() > 1;
  const ErrorRange range = missed_when_left_out(devices);
  for (const std::size_t i : members) {
    const Sample& s = predicted[i];
    const KernelTime t = time_of(s.call, s.chip, v.values);
    const double time = t.total * std::exp(layer.at(s.call));
    v.calls.push_back({i,
                       regime_of(t),
                       {.predicted = time,
                        .low = time * std::exp(range.low),
                        .high = time * std::exp(range.high),
                        .measured = s.measured}});
  }
  return v;
}

}  // namespace

Transfer transfer(const std::vector<std::vector<Sample>>& fitted, const std::vector<Sample>& predicted,
                  const TransferOptions& options) {
  struct Work {
    OperatorAndVariant key;
    std::vector<std::size_t> members;
    Devices devices;
  };
  std::vector<std::map<OperatorAndVariant, std::vector<std::size_t>>> sets;
  for (const std::vector<Sample>& samples : fitted) sets.push_back(by_variant(samples));
  Transfer all;
  std::vector<Work> work;
  for (const auto& [key, members] : by_variant(predicted)) {
    Work w{key, members, {}};
    for (std::size_t d = 0; d < fitted.size(); ++d) {
      if (const auto it = sets[d].find(key); it != sets[d].end())
        w.devices.push_back(drawn(fitted[d], it->second, options));
    }
    if (w.devices.empty()) {
      all.not_predicted.push_back(key);
    } else {
      work.push_back(std::move(w));
    }
  }
  all.validations.resize(work.size());
  in_parallel(work.size(), [&](std::size_t i) {
    all.validations[i] = judge(work[i].key, work[i].devices, predicted, work[i].members, options.level);
  });
  return all;
}

}  // namespace inferometer
