#pragma once
#include <cstdint>
#include <vector>

#include "model/architecture.hpp"

namespace inferometer {

/// Angles per position of each of `rotary / 2` pairs, under the network's scaling rule.
/// sources: linear, llama3 and yarn (arXiv 2309.00071) as Hugging Face transformers' modeling_rope_utils
/// computes them
std::vector<double> rope_frequencies(const Rope& rope, std::int64_t rotary);
/// What cosines and sines are multiplied by (yarn; 1 otherwise).
double rope_magnitude(const Rope& rope);

/// [positions, rotary]: cosines of rotary / 2 angles, then their sines.
std::vector<float> rope_table(const Rope& rope, std::int64_t rotary, std::int64_t positions);

}  // namespace inferometer
