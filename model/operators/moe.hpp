#pragma once
#include <algorithm>
#include <numeric>

#include "model/architecture.hpp"
#include "model/operators/weight_format.hpp"

namespace inferometer {

/// Chooses top_k experts for each token.   logits [tokens, experts]   ids, weights [tokens, top_k]
/// source: Mixtral arXiv 2401.04088 (softmax over the chosen), DeepSeek-V2 arXiv 2405.04434 (group limited),
/// DeepSeek-V3 arXiv 2412.19437 (sigmoid, correction bias in the choice only, groups ranked by their best
/// two)
struct Router {
  static constexpr std::string_view name = "router";
  static constexpr std::string_view flops_formula =
      "tokens * ((3 softmax | 1 sigmoid) * experts + experts * correction + groups * best_two + 2 * top_k * "
      "normalized + "
      "top_k * scaled); softmax after top-k: tokens * 3 * top_k";
  std::int64_t tokens = 0, experts = 0, top_k = 0;
  RouterScore score = RouterScore::softmax;
  bool softmax_after_top_k = false, normalize = false, correction = false;
  std::int64_t groups = 1, top_groups = 1;
  GroupRank group_rank = GroupRank::none;
  double scaling = 1.0;
  DType dtype = DType::f32;

  Operands operands() const {
    Operands all{.reads = {{"logits", {tokens, experts}, dtype}},
                 .writes = {{"ids", {tokens, top_k}, DType::i32, Use::index},
                            {"weights", {tokens, top_k}, DType::f32}}};
    if (correction) all.reads.push_back({"correction", {experts}, DType::f32, Use::weight});
    return all;
  }
  Flops flops() const {
    if (softmax_after_top_k) return Flops{tokens * 3 * top_k};
    return Flops{tokens * ((score == RouterScore::softmax ? 3 : 1) * experts + experts * correction +
                           groups * (group_rank == GroupRank::best_two) + 2 * top_k * normalize +
                           top_k * (scaling != 1.0))};
  }
  template <class Scalar>
  void reference(const Arrays<Scalar>& reads, Arrays<Scalar>& writes) const {
    for (std::int64_t t = 0; t < tokens; ++t) route(reads, writes, t);
  }
  /// Subtracts the maximum, exponentiates and divides by the sum, in place: 3 FLOPs an element.
  template <class Scalar>
  static void softmax(std::vector<Scalar>& x) {
    using std::exp;
    Scalar top = x[0], sum{0};
    for (const Scalar& v : x) top = top < v ? v : top;
    for (Scalar& v : x) {
      v = exp(v - top);
      sum = sum + v;
    }
    const Scalar norm = reciprocal(sum);
    for (Scalar& v : x) v = v * norm;
  }
  /// The positions of the `n` largest of `x`, largest first, the lower position first among equals.
  template <class Scalar>
  static std::vector<std::int64_t> largest(const std::vector<Scalar>& x, std::int64_t n) {
    std::vector<std::int64_t> order(x.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
      return x[static_cast<std::size_t>(b)] < x[static_cast<std::size_t>(a)];
    });
    order.resize(static_cast<std::size_t>(n));
    return order;
  }
  template <class Scalar>
  void route(const Arrays<Scalar>& reads, Arrays<Scalar>& writes, std::int64_t t) const {
    using std::exp;
    const auto begin = reads[0].begin() + t * experts;
    std::vector<Scalar> scores(begin, begin + experts);
    if (!softmax_after_top_k && score == RouterScore::softmax) softmax(scores);
    if (score == RouterScore::sigmoid) {
      for (Scalar& s : scores) s = reciprocal(Scalar{1} + exp(-s));
    }
    std::vector<Scalar> choice = scores;
    if (correction) {
      for (std::size_t e = 0; e < choice.size(); ++e) choice[e] = choice[e] + reads[1][e];
    }
    if (group_rank != GroupRank::none) keep_best_groups(choice);
    const std::vector<std::int64_t> ids = largest(choice, top_k);
    std::vector<Scalar> weights;
    for (const std::int64_t e : ids) weights.push_back(scores[static_cast<std::size_t>(e)]);
    if (softmax_after_top_k) {
      softmax(weights);
    } else if (normalize) {
      Scalar sum{0};
      for (const Scalar& w : weights) sum = sum + w;
      const Scalar norm = reciprocal(sum);
      for (Scalar& w : weights) w = w * norm;
    }
    for (std::int64_t k = 0; k < top_k; ++k) {
      const auto at = static_cast<std::size_t>(t * top_k + k);
      Scalar w = weights[static_cast<std::size_t>(k)];
      if (scaling != 1.0 && !softmax_after_top_k) w = w * Scalar{scaling};
      writes[0][at] = Scalar{static_cast<double>(ids[static_cast<std::size_t>(k)])};
      writes[1][at] = w;
    }
  }
  template <class Scalar>
  void keep_best_groups(std::vector<Scalar>& choice) const {
    const std::int64_t size = experts / groups;
    std::vector<Scalar> rank;
    for (std::int64_t g = 0; g < groups; ++g) {
      const std::vector<Scalar> members(choice.begin() + g * size, choice.begin() + (g + 1) * size);
      const auto best = largest(members, group_rank == GroupRank::best_two ? 2 : 1);
      const Scalar first = members[static_cast<std::size_t>(best[0])];
      rank.push_back(best.size() > 1 ? first + members[static_cast<std::size_t>(best[1])] : first);
    }
    const auto kept = largest(rank, top_groups);
    for (std::int64_t g = 0; g < groups; ++g) {
      if (std::find(kept.begin(), kept.end(), g) != kept.end()) continue;
      for (std::int64_t e = g * size; e < (g + 1) * size; ++e)
        choice[static_cast<std::size_t>(e)] = Scalar{-1e30};
    }
  }
  static Router example() { return {.tokens = 3, .experts = 8, .top_k = 2}; }
  friend bool operator==(const Router&, const Router&) = default;
};

enum class ExpertKernel : std::uint8_t {
  loop,    ///< one product per expert that has tokens
  grouped  ///< one launch for all experts
};

/// Distinct experts that `assignments` uniform draws of top_k out of `experts` touch, E(1 - (1 - k/E)^T),
/// rounded. source: survey arXiv 2404.14294, mixture of experts; used where routing is not known (prediction)
constexpr std::int64_t expected_experts(std::int64_t experts, std::int64_t top_k, std::int64_t tokens) {
  double missed = 1.0;
  const double keep = 1.0 - static_cast<double>(top_k) / static_cast<double>(experts);
  for (double base = keep; tokens > 0; tokens >>= 1, base *= base) {
    if (tokens & 1) missed *= base;
  }
  return static_cast<std::int64_t>(static_cast<double>(experts) * (1.0 - missed) + 0.5);
}

/// One product per chosen expert.   x [tokens * (top_k when per_assignment)] rows of `in`   W [experts, out,
/// in] ids [tokens, top_k]   y [tokens * top_k, out] Bytes: the weights of the experts that are touched,
/// once. Inputs once per row of x.
struct ExpertLinear {
  static constexpr std::string_view name = "expert_linear";
  static constexpr std::string_view flops_formula =
      "2 * tokens * top_k * in * out + touched * in * out * dequantize + tokens * top_k * out * (x_scaled + "
      "w_scaled + bias)";
  std::int64_t tokens = 0, experts = 0, top_k = 0, in = 0, out = 0;
  std::int64_t touched = 0;  ///< distinct experts with tokens (expected_experts where routing is not known)
  bool per_assignment = false;  ///< x has a row per (token, choice), as the second product's has
  DType x = DType::bf16, y = DType::bf16;
  WeightFormat w{};
  bool bias = false;
  ExpertKernel kernel = ExpertKernel::grouped;

  std::int64_t rows() const { return tokens * top_k; }
  Operands operands() const {
    const std::int64_t x_rows = per_assignment ? rows() : tokens;
    Operands all{.reads = {{"x", {x_rows, in}, x}, {"ids", {tokens, top_k}, DType::i32, Use::index}},
                 .writes = {{"y", {rows(), out}, y}}};
    if (const std::int64_t scales = input_scales(x, x_rows)) {
      all.reads.push_back(
          {"x.scale", {scales, 1}, DType::f32, x == DType::fp8 ? Use::weight : Use::activation});
    }
    w.append(all.reads, experts, out, in, touched);
    if (bias) all.reads.push_back({"b", {experts, out}, DType::f32, Use::weight, touched * out});
    return all;
  }
  Flops flops() const {
    const std::int64_t extra = (input_scales(x, rows()) > 0) + w.scaled() + bias;
    return Flops{2 * rows() * in * out + touched * in * out * w.dequantize_flops() + rows() * out * extra};
  }
  template <class Scalar>
  void reference(const Arrays<Scalar>& reads, Arrays<Scalar>& writes) const {
    const bool x_scaled = input_scales(x, rows()) > 0;
    const std::size_t first = x_scaled ? 3 : 2;
    for (std::int64_t e = 0; e < experts; ++e) {
      std::vector<std::int64_t> mine;
      for (std::int64_t a = 0; a < rows(); ++a) {
        if (index_of(reads[1][static_cast<std::size_t>(a)]) == e) mine.push_back(a);
      }
      for (std::int64_t o = 0; o < (mine.empty() ? 0 : out); ++o) {
        const std::vector<Scalar> row = w.row(reads, first, out, in, e, o);
        for (const std::int64_t a : mine) {
          const std::int64_t x_row = per_assignment ? a : a / top_k;
          Scalar sum{0};
          for (std::int64_t i = 0; i < in; ++i) {
            sum = sum + reads[0][static_cast<std::size_t>(x_row * in + i)] * row[static_cast<std::size_t>(i)];
          }
          if (x_scaled) sum = sum * reads[2][static_cast<std::size_t>(x == DType::int8 ? x_row : 0)];
          if (w.scaled()) sum = sum * w.scale(reads, first, out, e, o);
          if (bias) sum = sum + reads.back()[static_cast<std::size_t>(e * out + o)];
          writes[0][static_cast<std::size_t>(a * out + o)] = sum;
        }
      }
    }
  }
  /// ids must name `touched` distinct experts for the counts to agree; example's are 0..3.
  static ExpertLinear example() {
    return {.tokens = 4, .experts = 6, .top_k = 2, .in = 8, .out = 5, .touched = 4};
  }
  friend bool operator==(const ExpertLinear&, const ExpertLinear&) = default;
};

/// y[t] = sum_k weights[t, k] * x[t * top_k + k].   x [tokens * top_k, width]   weights [tokens, top_k]   y
/// [tokens, width]
struct ExpertCombine {
  static constexpr std::string_view name = "expert_combine", flops_formula = "2 * tokens * top_k * width";
  std::int64_t tokens = 0, top_k = 0, width = 0;
  DType dtype = DType::bf16;

  Operands operands() const {
    return {.reads = {{"x", {tokens * top_k, width}, dtype}, {"weights", {tokens, top_k}, DType::f32}},
            .writes = {{"y", {tokens, width}, dtype}}};
  }
  Flops flops() const { return Flops{2 * tokens * top_k * width}; }
  template <class Scalar>
  void reference(const Arrays<Scalar>& reads, Arrays<Scalar>& writes) const {
    for (std::int64_t t = 0; t < tokens; ++t) {
      for (std::int64_t i = 0; i < width; ++i) {
        Scalar sum{0};
        for (std::int64_t k = 0; k < top_k; ++k) {
          sum = sum + reads[1][static_cast<std::size_t>(t * top_k + k)] *
                          reads[0][static_cast<std::size_t>((t * top_k + k) * width + i)];
        }
        writes[0][static_cast<std::size_t>(t * width + i)] = sum;
      }
    }
  }
  static ExpertCombine example() { return {.tokens = 3, .top_k = 2, .width = 8}; }
  friend bool operator==(const ExpertCombine&, const ExpertCombine&) = default;
};

}  // namespace inferometer
