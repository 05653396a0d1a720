#pragma once
#include <cmath>
#include <cstdint>

namespace inferometer {

/// A number that counts what is done with it: additions, subtractions and multiplications count 1 each; exp,
/// division, square root and tanh are special and counted apart; comparisons, negation and conversions are
/// free.
struct Counted {
  double value = 0;
  static inline std::int64_t operations = 0, special = 0;

  Counted() = default;
  explicit Counted(double v) : value(v) {}

  friend Counted operator+(Counted a, Counted b) { return ++operations, Counted{a.value + b.value}; }
  friend Counted operator-(Counted a, Counted b) { return ++operations, Counted{a.value - b.value}; }
  friend Counted operator*(Counted a, Counted b) { return ++operations, Counted{a.value * b.value}; }
  friend Counted operator/(Counted a, Counted b) { return ++special, Counted{a.value / b.value}; }
  friend Counted operator-(Counted a) { return Counted{-a.value}; }
  friend bool operator<(Counted a, Counted b) { return a.value < b.value; }
};
inline Counted exp(Counted x) { return ++Counted::special, Counted{std::exp(x.value)}; }
inline Counted tanh(Counted x) { return ++Counted::special, Counted{std::tanh(x.value)}; }
inline Counted sqrt(Counted x) { return ++Counted::special, Counted{std::sqrt(x.value)}; }
inline Counted reciprocal(Counted x) { return ++Counted::special, Counted{1.0 / x.value}; }
inline std::int64_t index_of(Counted x) { return static_cast<std::int64_t>(x.value); }

}  // namespace inferometer
