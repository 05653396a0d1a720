#pragma once
#include "model/operators/operand.hpp"

namespace inferometer {

/// y = x / sqrt(mean(x²) + eps) * w, row by row.   x, y [tokens, groups * width]   w [width]
/// Each token has `groups` rows: 1 for a layer norm, the number of heads for a norm of queries or keys.
/// source: Zhang, Sennrich, "Root Mean Square Layer Normalization", arXiv 1910.07467
struct RmsNorm {
  static constexpr std::string_view name = "rms_norm", flops_formula = "tokens * groups * (4 * width + 2)";
  std::int64_t tokens = 0, groups = 1, width = 0;
  DType dtype = DType::bf16;
  double eps = 1e-6;

  Operands operands() const {
    return {.reads = {{"x", {tokens, groups * width}, dtype}, {"w", {width}, dtype, Use::weight}},
            .writes = {{"y", {tokens, groups * width}, dtype}}};
  }
  Flops flops() const { return Flops{tokens * groups * (4 * width + 2)}; }
  template <class Scalar>
  void reference(const Arrays<Scalar>& reads, Arrays<Scalar>& writes) const {
    normalize_rows(reads[0], reads[1], writes[0]);
  }
  template <class Scalar>
  void normalize_rows(const std::vector<Scalar>& x, const std::vector<Scalar>& w,
                      std::vector<Scalar>& y) const {
    using std::sqrt;
    for (std::int64_t r = 0; r < tokens * groups; ++r) {
      Scalar sum{0};
      for (std::int64_t i = 0; i < width; ++i) {
        const Scalar v = x[static_cast<std::size_t>(r * width + i)];
        sum = sum + v * v;
      }
      const Scalar mean = sum * Scalar{1.0 / static_cast<double>(width)};
      const Scalar scale = reciprocal(sqrt(mean + Scalar{eps}));
      for (std::int64_t i = 0; i < width; ++i) {
        const auto at = static_cast<std::size_t>(r * width + i);
        y[at] = x[at] * scale * w[static_cast<std::size_t>(i)];
      }
    }
  }
  static RmsNorm example() { return {.tokens = 3, .width = 8}; }
  friend bool operator==(const RmsNorm&, const RmsNorm&) = default;
};

/// Residual addition and norm in one pass: s = x + r, y = rms_norm(s).   x, r, s, y [tokens, width]   w
/// [width]
/// gathered: of the rows whose logits are wanted, s[i] = x[rows[i]] + r[rows[i]].   x, r [any, width]   rows
/// [tokens]
struct AddRmsNorm {
  static constexpr std::string_view name = "add_rms_norm", flops_formula = "tokens * (5 * width + 2)";
  std::int64_t tokens = 0, width = 0;
  DType dtype = DType::bf16;
  double eps = 1e-6;
  bool gathered = false;

  Operands operands() const {
    Operands all{.reads = {{"x", {tokens, width}, dtype},
                           {"residual", {tokens, width}, dtype},
                           {"w", {width}, dtype, Use::weight}},
                 .writes = {{"sum", {tokens, width}, dtype}, {"y", {tokens, width}, dtype}}};
    if (gathered) all.reads.push_back({"rows", {tokens}, DType::i32, Use::index});
    return all;
  }
  Flops flops() const { return Flops{tokens * (5 * width + 2)}; }
  template <class Scalar>
  void reference(const Arrays<Scalar>& reads, Arrays<Scalar>& writes) const {
    for (std::int64_t r = 0; r < tokens; ++r) {
      const std::int64_t from = gathered ? index_of(reads[3][static_cast<std::size_t>(r)]) : r;
      for (std::int64_t i = 0; i < width; ++i) {
        const auto at = static_cast<std::size_t>(from * width + i);
        writes[0][static_cast<std::size_t>(r * width + i)] = reads[0][at] + reads[1][at];
      }
    }
    RmsNorm{.tokens = tokens, .width = width, .dtype = dtype, .eps = eps}.normalize_rows(writes[0], reads[2],
                                                                                         writes[1]);
  }
  static AddRmsNorm example() { return {.tokens = 3, .width = 8}; }
  friend bool operator==(const AddRmsNorm&, const AddRmsNorm&) = default;
};

}  // namespace inferometer
