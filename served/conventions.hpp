#pragma once
#include <map>
#include <string>
#include <vector>

#include "scenarios/scenario.hpp"

namespace inferometer {

/// What the names in a file of serving points mean, and what is assumed where the file does not say: data,
/// scenarios/served/conventions.yaml.
struct ServingConventions {
  struct Model {
    std::string preset;
    std::string not_predicted;                      ///< why; empty where it is
    std::string not_scored;                         ///< why; empty where it is
    std::vector<Edit> edits;                        ///< after those of the format and of the engine
    std::map<std::string, std::vector<Edit>> with;  ///< by engine, after all others
  };
  std::map<std::string, Model> models;
  std::map<std::string, std::vector<Edit>> products;  ///< settings of a format of matrix products
  std::map<std::string, std::vector<Edit>> engines;   ///< settings of a backend
  /// Sources whose name begins so: the shortest length, of prompt and output, in percent of the stated one.
  struct Lengths {
    std::string source;
    std::int64_t shortest_percent = 100;
  };
  std::vector<Lengths> lengths;

  /// Of the first entry that fits; 100 without one.
  std::int64_t shortest_percent(const std::string& source) const;
};

/// Reads
///   models: {NAME: {preset: PRESET, set: {SETTING: VALUE}, with: {BACKEND: {SETTING: VALUE}},
///                   not_scored: TEXT} or {not_predicted: TEXT}, ...}
///   products: {FORMAT: {SETTING: VALUE, ...}, ...}
///   engines: {BACKEND: {SETTING: VALUE, ...}, ...}
///   lengths: [{source: TEXT, shortest_percent: 80}, ...]
///
/// errors  all at file:line:column
[[nodiscard]] Result<ServingConventions> read_conventions(const std::string& text,
                                                          const std::filesystem::path& file);

}  // namespace inferometer
