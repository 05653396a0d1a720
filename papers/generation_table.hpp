#pragma once
#include "model/reader.hpp"
#include "papers/paper.hpp"
#include "scenarios/device_file.hpp"

namespace inferometer {

/// Tables of whole engines: static batches of equal requests that start together. Reads and predicts
///   engines: {NAME: ENGINE, ...}                            see read_engine()
///   rows:
///     - {engine: NAME, batch: 1, prompt: 128, output: 128, quantity: tokens/s, published: 5586}
///     - {engine: NAME, over: NAME, ..., quantity: speed-up, published: 2.6}
/// Quantities:
///   tokens/s     batch * output / (prefill + decode steps), of each device
///   decode/s     tokens/s of the decode steps alone, of each device
///   first-token  prefill [ms]
///   token        a decode step [ms]
///   speed-up     of a decode step: that of `over` divided by that of `engine`
///   bandwidth    compulsory bytes of a decode step over its time, in % of the memory bandwidth as sold
///
/// label: a row may say how it is called; its engine and sizes otherwise
std::vector<PaperRow> generation_rows(Reader& in, const DeviceFile& device, const Library& library);

}  // namespace inferometer
