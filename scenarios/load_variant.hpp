#pragma once
#include "model/reader.hpp"
#include "scenarios/scenario.hpp"

namespace inferometer {

/// Reads one entry of `variants:`.
///
/// in        its mapping; mistakes go into the reader's list
/// baseline  what it changes
/// judge     whether the baseline is whole: without it only spelling is checked, since what the model, the
///           device or the plan do not allow would be told again for each variant
Variant read_variant(Reader in, const Case& baseline, bool judge);

}  // namespace inferometer
