#include "simulator/step_work.hpp"

#include <algorithm>

#include "model/graph.hpp"
#include "model/launch.hpp"

namespace inferometer {

StepWork::StepWork(const Case& c, const Structure& structure) : case_(c), structure_(structure) {
  for (const StructureNode& node : structure.nodes) {
    if (const auto* attention = std::get_if<Attention>(&node.op)) {
      add_attention(*attention);
      continue;
    }
    std::vector<Alike>& known = node.rows == Rows::logits ? by_logits_ : by_tokens_;
    const auto same = std::find_if(known.begin(), known.end(), [&](const Alike& a) {
      return a.node->rows == node.rows && a.node->op == node.op;
    });
    if (same == known.end()) {
      known.push_back({&node, 1});
    } else {
      ++same->count;
    }
  }
}

/// Its coefficients, from the work of four steps of one sequence whose pairs, keys and tokens are known.
void StepWork::add_attention(const Attention& op) {
  const auto work = [&](std::vector<AttentionSlice> slices) {
    Attention one = op;
    one.window = 0;
    one.slices = std::move(slices);
    return unit_times(work_of(one), case_.cluster.device);
  };
  const UnitTimes none = work({}), one = work({{1, 0}});  // 1 pair, 1 key, 1 token
  const UnitTimes history = work({{1, 1}});               // 2, 2, 1
  const UnitTimes two = work({{2, 0}});                   // 3, 2, 2
  const UnitTimes longer = work({{2, 1}});                // 5, 3, 2
  Attending a{.window = static_cast<double>(op.window), .fixed = none};
  a.per_pair = (longer - two) - (history - one);  // 2 pairs and a key, less a pair and a key
  a.per_key = (history - one) - a.per_pair;
  a.per_token = (two - history) - a.per_pair;
  const auto same = std::find_if(attending_.begin(), attending_.end(),
                                 [&](const Attending& known) { return known.window == a.window; });
  if (same == attending_.end()) {
    attending_.push_back(a);
    return;
  }
  same->fixed += a.fixed;
  same->per_pair += a.per_pair;
  same->per_key += a.per_key;
  same->per_token += a.per_token;
}

UnitTimes StepWork::sum(const std::vector<Alike>& nodes, const Features& sizes) const {
  UnitTimes all;
  for (const Alike& a : nodes)
    all += a.count * unit_times(work_of(bind(*a.node, structure_, sizes)), case_.cluster.device);
  return all;
}

UnitTimes StepWork::of(const StepTotals& asked) {
  const StepTotals run = padded(asked, case_.plan);
  if (run.tokens() != tokens_ || run.group_tokens != group_ || run.logit_rows != logits_) {
    tokens_ = run.tokens();
    group_ = run.group_tokens;
    logits_ = run.logit_rows;
    const auto [tokens, new_tokens] = of_tokens_.try_emplace({tokens_, group_});
    if (new_tokens) tokens->second = sum(by_tokens_, {.tokens = tokens_, .group_tokens = group_});
    const auto [logits, new_logits] = of_logits_.try_emplace(logits_);
    if (new_logits) logits->second = sum(by_logits_, {.logit_rows = logits_});
    rows_ = tokens->second;
    rows_ += logits->second;
  }
  UnitTimes all = rows_;
  for (const Attending& a : attending_) {
    all += a.fixed;
    for (const AttendedLengths& of : {run.attended.single, run.attended.prompts}) {
      if (of.count == 0) continue;
      const auto count = static_cast<double>(of.count);
      const double fresh = static_cast<double>(of.fresh) / count;
      const double cached = static_cast<double>(of.all - of.fresh) / count;
      all += count * causal_pairs(fresh, cached, a.window) * a.per_pair;
      all += count * visible_tokens(fresh, cached, a.window) * a.per_key;
      all += static_cast<double>(of.fresh) * a.per_token;
    }
  }
  return all;
}

}  // namespace inferometer
