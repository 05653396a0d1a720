#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "model/case.hpp"
#include "model/reader.hpp"
#include "roofline/profiles/layer_profile.hpp"

namespace inferometer {

/// Kernels as somebody measured them on the scenario's device, for the steps of served traffic.
struct StepProfile {
  std::shared_ptr<const LayerProfile> layers;
  std::string source;  ///< folder or files, with their hash
};

/// Reads `profile:`, one of
///   {folder: FOLDER}                   LLMServingSim's tables
///   {mlp: FILE, attention: FILE}       Vidur's
/// of the degree of tensor parallelism that the case has. Mistakes are in the reader's list afterwards.
///
/// folder  that relative paths start from
StepProfile read_step_profile(Reader in, const Case& c, const std::filesystem::path& folder);

/// Whether times that were measured once hold under another value of a setting: limits of the engine,
/// traffic, what recorded steps are padded to; not what changes kernels or how they follow one another.
bool profile_follows(std::string_view path);

}  // namespace inferometer
