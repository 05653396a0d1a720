#pragma once
#include "executor/cuda/kernels/kernels.hpp"
#include "model/decode_splits.hpp"
#include "model/step.hpp"

namespace inferometer::cuda {

/// How a step's decode attention runs, by the sequences with at most decode_rows rows of queries per key
/// head. group: query heads per key head; octets: whether attention_octets() can do it all
DecodeChoice decode_choice(const Step& step, const KvCache& cache, std::int64_t group, bool octets,
                           std::int64_t processors);

/// What of it a recorded graph holds: listed parts are on the device.
DecodeChoice recorded_choice(DecodeChoice choice);

}  // namespace inferometer::cuda
