#pragma once
#include <vector>

#include "executor/cpu/aligned_buffer.hpp"
#include "executor/cpu/products.hpp"
#include "executor/weights/weight_reader.hpp"

namespace inferometer::cpu {

/// A weight as the nodes that read it want it.
struct Constant {
  std::vector<PackedWeights> packed;  ///< for products: one, or one per expert
  AlignedBuffer plain;                ///< for the rest: row-major in the spec's dtype

  Bytes bytes() const;
};

/// Reads and packs every weight of a structure. A table that is both looked up and multiplied with (tied
/// embeddings) is kept in both forms.
/// errors  what the reader's check() says, dtypes that are not multiplied here
[[nodiscard]] Result<std::vector<Constant>> load_constants(const Structure& structure,
                                                           const WeightReader& reader, Products& products);

}  // namespace inferometer::cpu
