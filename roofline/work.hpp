#pragma once
#include "model/device.hpp"
#include "model/graph.hpp"

namespace inferometer {

/// What a node asks of a device, in the terms that kernel models are written in.
struct Work {
  Flops flops{0};
  std::int64_t special = 0;          ///< exponentials, which the field's FLOP counts leave out
  Bytes weights{0};                  ///< constants that are read
  Bytes bf16_weights{0};             ///< those of them in bf16
  Bytes state{0};                    ///< cached state read and written
  Bytes activations{0};              ///< what nodes of the step pass on to each other, and indices
  Bytes bf16_operands{0};            ///< those of a product's inputs and outputs that are in bf16
  std::int64_t bf16_sides = 0;       ///< how many of the two are
  Bytes unfused{0};                  ///< traffic of the chosen kernel beyond the compulsory
  bool product = false;              ///< runs on matrix units
  DType dtype = DType::f32;          ///< that the multiplications are done in
  std::int64_t m = 0, n = 0, k = 0;  ///< of products: rows, columns and depth of one of `batch` products
  std::int64_t batch = 1;
  double first_rows = 0;  ///< of attention: share of its work that is one row's, a token by a head of a group
  Bytes link{0};          ///< message of a collective, on each rank
  std::int64_t ranks = 1;
  bool sums = false;  ///< whether a collective adds up what it moves

  Bytes compulsory() const { return weights + state + activations; }
};

Work work_of(const AnyOperator& op);

/// Weights as the device keeps them.
Bytes kept_weights(const Work& work, const Device& device);
/// Weights and cached state that one step touches: what has to stay in cache to be found there by the next.
Bytes persistent_bytes(const Graph& graph, const Device& device);

}  // namespace inferometer
