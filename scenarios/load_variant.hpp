#pragma once
#include "model/reader.hpp"
#include "scenarios/load_pools.hpp"
#include "scenarios/scenario.hpp"

namespace inferometer {

/// Reads one entry of `variants:`.
///
/// in        its mapping; mistakes go into the reader's list
/// baseline  what it changes
/// pools     of the scenario: those of a variant that has none of its own
/// context   what its own are read beside
/// judge     whether the baseline is whole: without it only spelling is checked, since what the model, the
///           device or the plan do not allow would be told again for each variant
Variant read_variant(Reader in, const Case& baseline, const std::vector<Pool>& pools,
                     const PoolContext& context, bool judge);

}  // namespace inferometer
