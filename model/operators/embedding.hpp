#pragma once
#include "model/operators/operand.hpp"

namespace inferometer {

/// y[t] = table[ids[t]].   ids [tokens]   table [vocab, width]   y [tokens, width]
/// Bytes: only the rows that are looked up, each once per token.
struct Embedding {
  static constexpr std::string_view name = "embedding", flops_formula = "0";
  std::int64_t tokens = 0, vocab = 0, width = 0;
  DType dtype = DType::bf16;

  Operands operands() const {
    return {.reads = {{"ids", {tokens}, DType::i32, Use::index},
                      {"table", {vocab, width}, dtype, Use::weight, tokens * width}},
            .writes = {{"y", {tokens, width}, dtype}}};
  }
  Flops flops() const { return Flops{0}; }
  template <class Scalar>
  void reference(const Arrays<Scalar>& reads, Arrays<Scalar>& writes) const {
    for (std::int64_t t = 0; t < tokens; ++t) {
      const std::int64_t row = index_of(reads[0][static_cast<std::size_t>(t)]);
      for (std::int64_t i = 0; i < width; ++i) {
        writes[0][static_cast<std::size_t>(t * width + i)] =
            reads[1][static_cast<std::size_t>(row * width + i)];
      }
    }
  }
  static Embedding example() { return {.tokens = 3, .vocab = 7, .width = 4}; }
  friend bool operator==(const Embedding&, const Embedding&) = default;
};

/// y[r] = x[rows[r]]: the rows whose logits are wanted.   x [any, width]   rows [tokens]   y [tokens, width]
struct GatherRows {
  static constexpr std::string_view name = "gather_rows", flops_formula = "0";
  std::int64_t tokens = 0, width = 0;
  DType dtype = DType::bf16;

  Operands operands() const {
    return {.reads = {{"x", {tokens, width}, dtype}, {"rows", {tokens}, DType::i32, Use::index}},
            .writes = {{"y", {tokens, width}, dtype}}};
  }
  Flops flops() const { return Flops{0}; }
  template <class Scalar>
  void reference(const Arrays<Scalar>& reads, Arrays<Scalar>& writes) const {
    for (std::int64_t r = 0; r < tokens; ++r) {
      const std::int64_t row = index_of(reads[1][static_cast<std::size_t>(r)]);
      for (std::int64_t i = 0; i < width; ++i) {
        writes[0][static_cast<std::size_t>(r * width + i)] =
            reads[0][static_cast<std::size_t>(row * width + i)];
      }
    }
  }
  static GatherRows example() { return {.tokens = 2, .width = 4}; }
  friend bool operator==(const GatherRows&, const GatherRows&) = default;
};

/// ids[r] = the first index of the largest logit.   x [rows, vocab]   ids [rows]      (greedy sampling)
struct Argmax {
  static constexpr std::string_view name = "argmax", flops_formula = "0";
  std::int64_t tokens = 0, vocab = 0;
  DType dtype = DType::f32;

  Operands operands() const {
    return {.reads = {{"x", {tokens, vocab}, dtype}}, .writes = {{"ids", {tokens}, DType::i32, Use::index}}};
  }
  Flops flops() const { return Flops{0}; }
  template <class Scalar>
  void reference(const Arrays<Scalar>& reads, Arrays<Scalar>& writes) const {
    for (std::int64_t r = 0; r < tokens; ++r) {
      std::int64_t best = 0;
      for (std::int64_t i = 1; i < vocab; ++i) {
        if (reads[0][static_cast<std::size_t>(r * vocab + best)] <
            reads[0][static_cast<std::size_t>(r * vocab + i)]) {
          best = i;
        }
      }
      writes[0][static_cast<std::size_t>(r)] = Scalar{static_cast<double>(best)};
    }
  }
  static Argmax example() { return {.tokens = 2, .vocab = 9}; }
  friend bool operator==(const Argmax&, const Argmax&) = default;
};

}  // namespace inferometer
