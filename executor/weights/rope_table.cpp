#include "executor/weights/rope_table.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace inferometer {
namespace {

/// Wavelengths beyond the trained context are stretched, short ones kept, those between blended.
double llama3(const Rope& rope, double frequency) {
  const double wavelength = 2 * std::numbers::pi / frequency;
  const double low = rope.original_max_positions / rope.low_freq_factor;
  const double high = rope.original_max_positions / rope.high_freq_factor;
  if (wavelength < high) return frequency;
  if (wavelength > low) return frequency / rope.factor;
  const double smooth = (rope.original_max_positions / wavelength - rope.low_freq_factor) /
                        (rope.high_freq_factor - rope.low_freq_factor);
  return (1 - smooth) * frequency / rope.factor + smooth * frequency;
}

/// Share of pair `i` that is interpolated: 0 below the correction range, 1 above it.
double yarn_ramp(const Rope& rope, std::int64_t rotary, double i) {
  const auto pair_turning = [&](double turns) {
    return static_cast<double>(rotary) *
           std::log(rope.original_max_positions / (turns * 2 * std::numbers::pi)) /
           (2 * std::log(rope.theta));
  };
  double low = pair_turning(rope.beta_fast), high = pair_turning(rope.beta_slow);
  if (rope.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(rotary - 1));
  if (low == high) high += 0.001;
  return std::clamp((i - low) / (high - low), 0.0, 1.0);
}

double magnitude(double factor, double mscale) {
  return factor <= 1 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
}

}  // namespace

std::vector<double> rope_frequencies(const Rope& rope, std::int64_t rotary) {
  std::vector<double> all;
  for (std::int64_t i = 0; i < rotary / 2; ++i) {
    const double plain = std::pow(rope.theta, -2.0 * static_cast<double>(i) / static_cast<double>(rotary));
    switch (rope.scaling) {
      case RopeScaling::none:
        all.push_back(plain);
        break;
      case RopeScaling::linear:
        all.push_back(plain / rope.factor);
        break;
      case RopeScaling::llama3:
        all.push_back(llama3(rope, plain));
        break;
      case RopeScaling::yarn: {
        const double ramp = yarn_ramp(rope, rotary, static_cast<double>(i));
        all.push_back(ramp * plain / rope.factor + (1 - ramp) * plain);
        break;
      }
    }
  }
  return all;
}

double rope_magnitude(const Rope& rope) {
  if (rope.scaling != RopeScaling::yarn) return 1;
  if (rope.attention_factor) return *rope.attention_factor;
  if (rope.mscale != 0 && rope.mscale_all_dim != 0)
    return magnitude(rope.factor, rope.mscale) / magnitude(rope.factor, rope.mscale_all_dim);
  return magnitude(rope.factor, 1);
}

std::vector<float> rope_table(const Rope& rope, std::int64_t rotary, std::int64_t positions) {
  const std::vector<double> frequencies = rope_frequencies(rope, rotary);
  const double size = rope_magnitude(rope);
  std::vector<float> table;
  table.reserve(static_cast<std::size_t>(positions * rotary));
  for (std::int64_t p = 0; p < positions; ++p) {
    for (const double f : frequencies)
      table.push_back(static_cast<float>(size * std::cos(static_cast<double>(p) * f)));
    for (const double f : frequencies)
      table.push_back(static_cast<float>(size * std::sin(static_cast<double>(p) * f)));
  }
  return table;
}

}  // namespace inferometer
