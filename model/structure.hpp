#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "model/operators/operators.hpp"
#include "model/plan.hpp"
#include "model/result.hpp"
#include "model/state.hpp"
#include "model/step.hpp"

namespace inferometer {

/// How many rows a buffer or node has; the sizes that stay symbolic until a Step is bound.
enum class Rows : std::uint8_t {
  tokens,       ///< one per new token
  logits,       ///< one per row that needs logits
  assignments,  ///< one per new token and chosen expert
  received,     ///< one per chosen expert of this device, of new tokens of all replicas of attention, evenly
  one           ///< a single row whatever the step
};

/// A matrix of activations [rows, columns] between nodes.
struct Buffer {
  std::string name;
  Rows rows = Rows::tokens;
  std::int64_t columns = 0;
  DType dtype = DType::bf16;
};

/// Part of each row of a buffer: `groups` runs of `columns / groups` elements, `stride` apart (0: adjacent).
struct View {
  std::int32_t buffer = -1;
  std::int64_t offset = 0;
  std::int64_t columns = 0;
  std::int64_t groups = 1;
  std::int64_t stride = 0;
  friend bool operator==(const View&, const View&) = default;
};

/// Rows of a weight taken from one tensor of a checkpoint, by its Hugging Face name:
///   W[matrix][row + r, c] = T[source_matrix][source_row + r * source_stride, source_column + c]
/// where T is the tensor, or its transpose. Vectors are placed by element: r counts those, and c is 0.
struct WeightPart {
  std::string tensor;
  std::int64_t matrix = 0, row = 0, rows = 0;
  std::int64_t source_row = 0, source_stride = 1, source_column = 0;
  std::int64_t source_matrix = -1;  ///< index in the tensor's leading extent; -1: it has none
  bool transposed = false;          ///< the tensor holds [columns, rows]
};

/// A constant [matrices, rows, columns]; vectors have one row.
struct WeightSpec {
  std::string name;
  std::int64_t matrices = 1, rows = 1, columns = 0;
  WeightFormat format;
  std::vector<WeightPart> parts;
};

struct StructureNode {
  std::string name;  ///< such as "layers.3.attention.qkv"
  std::int64_t layer = -1;
  Role role = Role::embed;
  AnyOperator op;  ///< sizes that depend on the step are 0
  Rows rows = Rows::tokens;
  std::vector<View> reads,
      writes;  ///< of operands that nodes exchange, in the order of operands(); step inputs are left out
  std::vector<std::int32_t>
      weights;  ///< into Structure::weights, in the order of operands(), scales not counted apart
  /// In steps of at most so many tokens this runs in the kernel of the node before it; 0: in none for that.
  std::int64_t joins_up_to = 0;
  /// Of those not in steps of fewer than so many.
  std::int64_t joins_from = 1;
  /// Where it does, it does in steps of more tokens too that fill tiles (fills_tiles()).
  bool joins_tiles = false;
  /// So it does in steps in which each sequence has one new token, however many there are.
  bool joins_decode = false;
};

/// `to` runs after `from`. buffer: what passes between them, -1 for cached state.
struct StructureEdge {
  std::int32_t from = 0, to = 0, buffer = -1;
};

/// A network as it is run under one Plan, for any Step.
struct Structure {
  std::vector<Buffer> buffers;
  std::vector<WeightSpec> weights;
  std::vector<StructureNode> nodes;  ///< in an order that respects the edges
  std::vector<StructureEdge> edges;
  std::vector<StateSpec> states;  ///< one per layer
  std::int64_t assignments_per_token = 1;
  std::int64_t expert_devices = 1;  ///< that share what all replicas of attention choose
  std::int64_t logits = -1;         ///< the buffer that holds the logits
};

/// Nodes [first, last] that run in one kernel in a step as it is run (padded): the one that node `index` is
/// in.
struct NodeRange {
  std::size_t first = 0, last = 0;
};
NodeRange kernel_of(const Structure& structure, std::size_t index, const Features& features);
/// Whether node `index` is a product whose rows the norm before it, which runs in the product before that,
/// left to be scaled.
bool scales_rows(const Structure& structure, std::size_t index, const Features& features);

/// Lowers a network under a plan by the passes of compile.cpp. Errors: a plan that this network cannot run
/// under.
[[nodiscard]] Result<Structure> compile(const Architecture& architecture, const Plan& plan);

}  // namespace inferometer
