#pragma once
#include <memory>
#include <optional>
#include <string>

#include "model/reader.hpp"
#include "model/structure.hpp"
#include "scenarios/device_file.hpp"
#include "simulator/step_predictor.hpp"

namespace inferometer {

/// Steps of equal sequences: `batch` of `fresh` new tokens each behind `cached` ones.
Features equal_sequences(std::int64_t batch, std::int64_t fresh, std::int64_t cached);

/// An engine that a table names, as a network under a plan on one kind of device.
class PublishedEngine {
 public:
  /// least  that the host takes for a step, however soon the device is done
  PublishedEngine(Case settings, Structure structure, const Calibration& calibration, Seconds least);

  const Case& settings() const { return *case_; }
  const Structure& structure() const { return *structure_; }
  /// Of one step.
  Seconds time(const Features& step);
  /// Each kernel of one step.
  Prediction prediction(const Features& step) const;
  /// Mean of the decode steps behind `prompt` tokens that give the second to the `output`-th token; each 32
  /// are timed in their middle.
  Seconds decode_step(std::int64_t batch, std::int64_t prompt, std::int64_t output);

 private:
  // On the heap, since the predictor refers to them and an engine may move.
  std::unique_ptr<const Case> case_;
  std::unique_ptr<const Structure> structure_;
  const Calibration& calibration_;
  std::unique_ptr<StepPredictor> predictor_;
  Seconds least_;
};

/// Reads
///   model: PRESET
///   optimize: [NAME, ...]                              see `list optimizations`
///   set: {SETTING: VALUE, ...}                         see `list settings`
///   host: {launches: 1700, each: 10 us, source: TEXT}  of a step, where the host may be what it waits for
///
/// device   must outlive the engine, as its calibration is referred to
/// returns  nothing where it cannot run; why is in the reader's errors
std::optional<PublishedEngine> read_engine(Reader in, const DeviceFile& device, const Library& library);

}  // namespace inferometer
