#pragma once
#include <vector>

#include "roofline/fitting/sample.hpp"

namespace inferometer {

/// Fits the parameters of one model to samples of one operator and variant, of one device or of several: soft
/// L1 on log(predicted / measured), several starts at once, each polished, on some of the samples where there
/// are thousands: drawn with one seed. Parameters are drawn to the middle of their ranges, as much as one
/// sample each. Deterministic.
///
/// samples  at least one; all with the same list of parameters
/// returns  values within the ranges of the parameters, in their order
std::vector<double> fit_model(const std::vector<Sample>& samples);

/// fit_model() from one start, near by: for samples that are a part of those that `start` was fitted to.
std::vector<double> refit_model(const std::vector<Sample>& samples, const std::vector<double>& start);

std::vector<double> generic_values(std::span<const KernelParameter> parameters);

}  // namespace inferometer
