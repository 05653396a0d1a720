#pragma once
#include <cstdint>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/case.hpp"
#include "model/structure.hpp"
#include "roofline/energy.hpp"

namespace inferometer {

/// What steps of one network ask of a device's units, in closed form: the sum of unit_times() over the nodes
/// of a step as it is run (padded). All but attention depends on the numbers of tokens and of rows of logits,
/// each by itself, and is kept for each; attention is linear in its pairs, its keys and its tokens. Sequences
/// that differ count as many of their mean length, which without a sliding window changes nothing for single
/// tokens.
///
/// cost      O(1), of a number of tokens seen for the first time O(nodes that differ)
/// ignores   a copy beside the step
/// requires  the case and structure to outlive it
class StepWork {
 public:
  StepWork(const Case& c, const Structure& structure);
  /// Of one of the instance's devices.
  UnitTimes of(const StepTotals& totals);

 private:
  /// Nodes of the same operator and sizes.
  struct Alike {
    const StructureNode* node;
    double count;
  };
  struct Attending {
    double window;
    UnitTimes fixed, per_pair, per_key, per_token;
  };
  UnitTimes sum(const std::vector<Alike>& nodes, const Features& sizes) const;
  void add_attention(const Attention& op);

  const Case& case_;
  const Structure& structure_;
  std::vector<Alike> by_tokens_, by_logits_;
  std::vector<Attending> attending_;
  std::map<std::pair<std::int64_t, std::int64_t>, UnitTimes> of_tokens_;  ///< by those of the group as well
  std::unordered_map<std::int64_t, UnitTimes> of_logits_;
  std::int64_t tokens_ = -1, group_ = -1, logits_ = -1;  ///< of the step before: decode steps repeat them
  UnitTimes rows_;                                       ///< theirs
};

}  // namespace inferometer
