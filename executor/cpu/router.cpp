#include "executor/cpu/router.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

namespace inferometer::cpu {
namespace {

/// Buffers of one thread.
struct Workspace {
  std::vector<float> scores, choice, rank;
  std::vector<std::int32_t> order;
};

void softmax(std::span<float> x) {
  const float top = *std::max_element(x.begin(), x.end());
  float sum = 0;
  for (float& v : x) sum += v = std::exp(v - top);
  for (float& v : x) v /= sum;
}

/// The positions of the n largest of x into the front of `order`.
void largest(std::span<const float> x, std::int64_t n, std::vector<std::int32_t>& order) {
  order.resize(x.size());
  std::iota(order.begin(), order.end(), 0);
  std::partial_sort(order.begin(), order.begin() + n, order.end(), [&](std::int32_t a, std::int32_t b) {
    const float va = x[static_cast<std::size_t>(a)], vb = x[static_cast<std::size_t>(b)];
    return va != vb ? va > vb : a < b;
  });
}

void keep_best_groups(const RouterRule& rule, Workspace& w) {
  const std::int64_t size = rule.experts / rule.groups;
  const auto members = [&](std::int64_t g) {
    return std::span{w.choice}.subspan(static_cast<std::size_t>(g * size), static_cast<std::size_t>(size));
  };
  w.rank.clear();
  for (std::int64_t g = 0; g < rule.groups; ++g) {
    const std::span<float> group = members(g);
    const std::int64_t counted = rule.group_rank == GroupRank::best_two && size > 1 ? 2 : 1;
    largest(group, counted, w.order);
    float rank = 0;
    for (std::int64_t i = 0; i < counted; ++i) {
      rank += group[static_cast<std::size_t>(w.order[static_cast<std::size_t>(i)])];
    }
    w.rank.push_back(rank);
  }
  largest(w.rank, rule.groups, w.order);
  for (std::int64_t i = rule.top_groups; i < rule.groups; ++i) {
    const std::span<float> dropped = members(w.order[static_cast<std::size_t>(i)]);
    std::fill(dropped.begin(), dropped.end(), -std::numeric_limits<float>::infinity());
  }
}

void route_token(const RouterRule& rule, Workspace& w, const float* logits, const float* correction,
                 std::int32_t* ids, float* weights) {
  w.scores.assign(logits, logits + rule.experts);
  if (rule.score == RouterScore::sigmoid) {
    for (float& s : w.scores) s = 1.0F / (1.0F + std::exp(-s));
  } else if (!rule.softmax_after_top_k) {
    softmax(w.scores);
  }
  w.choice = w.scores;
  for (std::size_t e = 0; correction != nullptr && e < w.choice.size(); ++e) w.choice[e] += correction[e];
  if (rule.group_rank != GroupRank::none) keep_best_groups(rule, w);
  largest(w.choice, rule.top_k, w.order);

  const std::span<float> chosen{weights, static_cast<std::size_t>(rule.top_k)};
  for (std::size_t k = 0; k < chosen.size(); ++k) {
    ids[k] = w.order[k];
    chosen[k] = w.scores[static_cast<std::size_t>(ids[k])];
  }
  if (rule.softmax_after_top_k) return softmax(chosen);
  const float sum = rule.normalize ? std::accumulate(chosen.begin(), chosen.end(), 0.0F) : 1.0F;
  for (float& v : chosen) v *= rule.scaling / sum;
}

}  // namespace

void route(const RouterRule& rule, const float* logits, std::int64_t stride, const float* correction,
           std::int64_t tokens, std::int32_t* ids, float* weights) {
#pragma omp parallel if (tokens * rule.experts > 4096)
  {
    Workspace w;
#pragma omp for schedule(static)
    for (std::int64_t t = 0; t < tokens; ++t) {
      route_token(rule, w, logits + t * stride, correction, ids + t * rule.top_k, weights + t * rule.top_k);
    }
  }
}

}  // namespace inferometer::cpu
