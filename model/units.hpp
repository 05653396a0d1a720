#pragma once
#include <chrono>
#include <compare>
#include <cstdint>

namespace inferometer {

/// A number with a physical dimension. Only operators with a physical meaning exist.
template <class Tag, class Rep>
struct Quantity {
  Rep value{};
  constexpr Quantity() = default;
  constexpr explicit Quantity(Rep v) : value(v) {}  // explicit: a bare number has no unit
  friend constexpr auto operator<=>(Quantity, Quantity) = default;
  friend constexpr Quantity operator+(Quantity a, Quantity b) { return Quantity{a.value + b.value}; }
  friend constexpr Quantity operator-(Quantity a, Quantity b) { return Quantity{a.value - b.value}; }
  constexpr Quantity& operator+=(Quantity b) { return value += b.value, *this; }
};

using Bytes = Quantity<struct BytesTag, std::int64_t>;
using Flops = Quantity<struct FlopsTag, std::int64_t>;  ///< an amount of work
using BytesPerSecond = Quantity<struct BytesPerSecondTag, double>;
using FlopsPerSecond = Quantity<struct FlopsPerSecondTag, double>;  ///< a speed; "FLOPS" names neither
using Hertz = Quantity<struct HertzTag, double>;
using Watts = Quantity<struct WattsTag, double>;
using Joules = Quantity<struct JoulesTag, double>;
using DollarsPerHour = Quantity<struct DollarsPerHourTag, double>;
using Dollars = Quantity<struct DollarsTag, double>;
using Celsius = Quantity<struct CelsiusTag, double>;
using Seconds = std::chrono::duration<double>;                       ///< what formulas compute with
using Nanoseconds = std::chrono::duration<std::int64_t, std::nano>;  ///< what clocks and timelines tick in

constexpr Seconds operator/(Flops work, FlopsPerSecond rate) {
  return Seconds{static_cast<double>(work.value) / rate.value};
}
constexpr Seconds operator/(Bytes size, BytesPerSecond rate) {
  return Seconds{static_cast<double>(size.value) / rate.value};
}
constexpr Joules operator*(Watts power, Seconds time) { return Joules{power.value * time.count()}; }
constexpr Joules operator*(double factor, Joules energy) { return Joules{factor * energy.value}; }
constexpr Watts operator/(Joules energy, Seconds time) { return Watts{energy.value / time.count()}; }
constexpr Dollars operator*(DollarsPerHour price, Seconds time) {
  return Dollars{price.value * time.count() / 3600};
}
constexpr Bytes operator*(std::int64_t count, Bytes each) { return Bytes{count * each.value}; }
constexpr Flops operator*(std::int64_t count, Flops each) { return Flops{count * each.value}; }
constexpr FlopsPerSecond operator*(double factor, FlopsPerSecond rate) {
  return FlopsPerSecond{factor * rate.value};
}
constexpr BytesPerSecond operator*(double factor, BytesPerSecond rate) {
  return BytesPerSecond{factor * rate.value};
}

/// The one place where a predicted time is rounded: when it enters a timeline.
constexpr Nanoseconds to_ticks(Seconds s) {
  return Nanoseconds{static_cast<std::int64_t>(s.count() * 1e9 + (s.count() < 0 ? -0.5 : 0.5))};
}

}  // namespace inferometer
