#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/case.hpp"
#include "model/result.hpp"

namespace inferometer {

/// One setting of a Case with its value as text, as it would stand in a scenario.
struct Setting {
  std::string path, value, doc;
};

/// Every setting of a Case (case_fields), in their order.
std::vector<Setting> settings(const Case& c);

/// Sets the setting at `path` from text. Errors (without a place): an unknown path, with the nearest one; a
/// value of another kind or out of range, with what was expected.
[[nodiscard]] Done set_setting(Case& c, std::string_view path, std::string_view text);

/// A number that differs when any setting differs; for provenance.
std::uint64_t settings_hash(const Case& c);

}  // namespace inferometer
