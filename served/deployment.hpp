#pragma once
#include <map>
#include <string>

#include "model/structure.hpp"
#include "scenarios/device_file.hpp"
#include "scenarios/serving_points.hpp"
#include "served/conventions.hpp"

namespace inferometer {

/// The server that a point was measured on, as a case of ours.
struct Deployment {
  Case settings;
  Structure structure;
};

/// Devices that a layer is divided over, and how many such groups attend for themselves.
struct Division {
  std::int64_t tensor = 1, replicas = 1;
};
Division division_of(const ServingPoint& point);
/// Points of equal text are of one server; the backend's version is left out, since plans do not know it.
std::string deployment_name(const ServingPoint& point);
/// A server and its lengths: the points that differ in concurrency, or were measured again.
std::string configuration_name(const ServingPoint& point);

/// Device, network, precision, plan and policy of a point. Whole experts on each device are taken as a part
/// of each, and where replicas of attention share them the other way round: the same bytes and products on a
/// device where their load is balanced.
///
/// errors  why it cannot be predicted
[[nodiscard]] Result<Deployment> deployment_of(const ServingPoint& point,
                                               const ServingConventions& conventions, const Library& library);

}  // namespace inferometer
