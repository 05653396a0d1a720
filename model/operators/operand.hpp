#pragma once
#include <array>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "model/dtype.hpp"

namespace inferometer {

/// Up to four extents, outermost first.
struct Shape {
  std::array<std::int64_t, 4> extent{};
  int rank = 0;
  constexpr Shape() = default;
  constexpr Shape(std::initializer_list<std::int64_t> list) {
    for (const std::int64_t e : list) extent[static_cast<std::size_t>(rank++)] = e;
  }
  constexpr std::int64_t elements() const {
    std::int64_t product = 1;
    for (int i = 0; i < rank; ++i) product *= extent[static_cast<std::size_t>(i)];
    return product;
  }
  friend constexpr bool operator==(const Shape&, const Shape&) = default;
};

/// Where an operand lives, which decides whether it can be in a cache and who allocates it.
enum class Use : std::uint8_t {
  activation,  ///< written by one node of the step and read by another
  weight,      ///< constant for the whole run
  state,       ///< carried from step to step (KV cache)
  index        ///< token ids, positions, routing: numbers that address other operands
};

/// One array that an operator reads or writes.
struct Operand {
  std::string_view name;
  Shape shape;
  DType dtype = DType::f32;
  Use use = Use::activation;
  std::int64_t touched = -1;  ///< elements that must move (a look-up touches some rows); -1: all of them

  constexpr Bytes compulsory() const { return size_of(touched < 0 ? shape.elements() : touched, dtype); }
  constexpr Bytes stored() const { return size_of(shape.elements(), dtype); }
};

struct Operands {
  std::vector<Operand> reads, writes;
};

/// Each operand's values, in the order of Operands; what reference implementations work on.
template <class Scalar>
using Arrays = std::vector<std::vector<Scalar>>;

/// Work on which the field's FLOP counts agree: an add and a multiply count 1 each. exp, division, square
/// root and tanh are `special`, comparisons and conversions are free.
inline double reciprocal(double x) { return 1.0 / x; }
inline std::int64_t index_of(double x) { return static_cast<std::int64_t>(x); }

}  // namespace inferometer
