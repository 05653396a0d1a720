#pragma once
#include "model/reader.hpp"
#include "papers/paper.hpp"
#include "scenarios/device_file.hpp"

namespace inferometer {

/// Tables of how much sooner decode steps end when the weights of the layers are stored in fewer bits and
/// expanded inside the products, against batch and context. Reads and predicts
///   engine: ENGINE                              with 16-bit weights, see read_engine()
///   mean_context: 1.5                           times `context`: what a decode step attends to in the mean
///   fitted_context: 128
///   rows: [{batch: 1, context: 128, published: 2.40}, ...]
///
/// Of each batch one ratio rho, by which the products of the layers are sooner done, is found from the cell
/// at fitted_context, in closed form; the other cells are predicted with it:
///   speed-up = T / (T - L (1 - 1 / rho))   T: the step with 16-bit weights   L: products of the layers in it
/// The head, attention and all else take what they take with 16-bit weights.
///
/// fitted   gets a line for each rho; the cells it was found from are not scored
/// ignores  what the host takes for launches
std::vector<PaperRow> weight_only_rows(Reader& in, const DeviceFile& device, const Library& library,
                                       std::vector<std::string>& fitted);

}  // namespace inferometer
