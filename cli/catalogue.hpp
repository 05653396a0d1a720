#pragma once
#include <string>
#include <utility>
#include <vector>

#include "cli/commands.hpp"

namespace inferometer {

/// One thing that has a name: what `list` prints a row of, and `explain` all of.
struct Entry {
  std::string name;
  std::string summary;                                       ///< one line
  std::vector<std::pair<std::string, std::string>> details;  ///< key (with the unit), value
};

/// All entries of one kind.
struct Catalogue {
  std::string kind;  ///< singular: "operator"
  std::vector<Entry> entries;
};

/// models, devices, operators, optimizations, settings, parameters: in this order, under these names.
std::vector<std::string> catalogue_names();
/// requires one of catalogue_names()
/// errors  preset files that cannot be read
Result<Catalogue> catalogue(const Context& context, const std::string& name);

}  // namespace inferometer
