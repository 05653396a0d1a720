#pragma once
#include "model/reader.hpp"
#include "papers/paper.hpp"
#include "scenarios/device_file.hpp"

namespace inferometer {

/// Tables of single kernels, and of the products of a layer. Reads and predicts, by generic values,
///   format: fp16
///   heads: {query: 16, key: 2, size: 128}                                    where attention is timed
///   rows:
///     - {call: decode-attention, batch: 4, keys: 16384, unit: us, published: 58.2}
///     - {call: prompt-attention, batch: 4, tokens: 4096, causal: false, unit: TFLOP/s, published: 590}
///     - {call: layer-products, model: PRESET, tokens: 16, unit: ms, published: 0.263}
/// Attention over prompts is the kernel alone, without the pass that rotates and caches. Attention of one
/// token is with its joining of parts, regrouping of heads and cache entry, of which the last is next to
/// nothing. Products of a layer: queries, keys and values in one, output, gate and up in one, down. TFLOP/s
/// count 4 batch tokens^2 heads size, half of it where attention is causal, and 2 tokens per weight.
std::vector<PaperRow> kernel_rows(Reader& in, const DeviceFile& device, const Library& library);

}  // namespace inferometer
