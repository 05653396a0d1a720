#pragma once
#include <optional>

#include "reports/tables.hpp"

namespace inferometer {

/// Steps and the copies beside them, alone and together, predicted and measured; none without copies.
std::optional<Table> beside_table(const StudyResult& study);
/// The same for a terminal; empty without copies.
std::string beside_text(const StudyResult& study);

}  // namespace inferometer
