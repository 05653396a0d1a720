#pragma once
#include <map>
#include <string>
#include <utility>

#include "roofline/fitting/fitted_model.hpp"
#include "roofline/steps/step_calls.hpp"

namespace inferometer {

/// How kernels follow each other.
enum class LaunchMode : std::uint8_t { eager, eager_overlap, graph, graph_overlap };
template <>
struct Names<LaunchMode> {
  static constexpr std::array list{std::pair{LaunchMode::eager, std::string_view{"eager"}},
                                   std::pair{LaunchMode::eager_overlap, std::string_view{"eager_overlap"}},
                                   std::pair{LaunchMode::graph, std::string_view{"graph"}},
                                   std::pair{LaunchMode::graph_overlap, std::string_view{"graph_overlap"}}};
};

constexpr LaunchMode launch_mode(bool recorded, bool overlap) {
  return recorded ? (overlap ? LaunchMode::graph_overlap : LaunchMode::graph)
                  : (overlap ? LaunchMode::eager_overlap : LaunchMode::eager);
}

/// By `model`, or with generic values where it is null.
KernelPrediction predict_by(const FittedModel* model, const KernelCall& call, const Chip& chip, Level level);

/// What kernels of one device and backend take, fitted to steps that were executed there.
class StepModels {
 public:
  using Key = std::pair<std::string, std::string>;  ///< operator and variant

  void add(Key key, FittedModel model) { models_.insert_or_assign(std::move(key), std::move(model)); }
  void set_gap(LaunchMode mode, Seconds gap) { gaps_[mode] = gap; }

  /// Of one kernel, without the gap before it: by the model for its variant, by that for the call alone where
  /// what runs beside it was never measured, and by generic values where neither was.
  KernelPrediction predict(const StepCall& call, const Device& device, Level level) const;
  /// The model that predict() asks; null where that is the generic one.
  const FittedModel* find(const StepCall& call) const;
  /// Between two kernels; as the device file says where it was not measured.
  Seconds gap(LaunchMode mode, const Device& device) const;

  const std::map<Key, FittedModel>& models() const { return models_; }
  const std::map<LaunchMode, Seconds>& gaps() const { return gaps_; }

 private:
  std::map<Key, FittedModel> models_;
  std::map<LaunchMode, Seconds> gaps_;
};

}  // namespace inferometer
