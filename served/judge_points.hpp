#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "served/point_server.hpp"

namespace inferometer {

/// A measured point beside its predictions.
struct JudgedPoint {
  ServingPoint point;
  std::string not_predicted;  ///< why; empty where it is
  std::string not_scored;     ///< why a predicted one counts in no summary; empty where it does
  bool fitted = false;        ///< whether its engine's profile was fitted to it
  ServedTimes generic;        ///< nothing fitted: datasheet and generic kernel models
  ServedTimes profiled;       ///< with the profile of its engine
};

struct JudgedPoints {
  std::vector<JudgedPoint> points;                ///< in the order of the file
  std::map<std::string, EngineProfile> profiles;  ///< by backend; none where nothing was fitted
};

struct JudgeOptions {
  double fit_on = 0.2;  ///< part of each engine's scored configurations that its profile is fitted to
  std::uint64_t seed = 1;
};

/// Predicts every point; fits a profile of each engine to whole configurations of its own and predicts every
/// point again with it.
JudgedPoints judge_points(const std::vector<ServingPoint>& points, const ServingConventions& conventions,
                          const Library& library, const JudgeOptions& options);

/// Which configurations of an engine are fitted: the first part of them in a seeded order, at least one.
std::vector<std::string> fitted_configurations(std::vector<std::string> names, const JudgeOptions& options);

}  // namespace inferometer
