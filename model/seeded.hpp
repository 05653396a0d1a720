#pragma once
#include <cstdint>
#include <string_view>

namespace inferometer {

/// Counter-based generator: a value is a pure function of (key, index), the same on any machine, thread or
/// device. source: the finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
/// generators", OOPSLA 2014)
constexpr std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// The key of a named tensor under a seed (FNV-1a of the name, mixed with the seed).
constexpr std::uint64_t tensor_key(std::uint64_t seed, std::string_view tensor) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : tensor) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return mix(hash ^ mix(seed));
}

/// Uniform in [-1, 1), a multiple of 2^-23: exact in f32.
constexpr float seeded_uniform(std::uint64_t key, std::uint64_t index) {
  const auto bits = static_cast<std::int32_t>(mix(key + index * 0x9e3779b97f4a7c15ULL) >> 40);  // 24 bits
  return static_cast<float>(bits - (1 << 23)) * (1.0F / (1 << 23));
}

}  // namespace inferometer
