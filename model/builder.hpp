#pragma once
#include <string>
#include <utility>
#include <vector>

#include "model/structure.hpp"

namespace inferometer {

/// Adds buffers, weights and nodes to a Structure; the small language that lowering is written in.
class StructureBuilder {
 public:
  StructureBuilder(Structure& structure, const Plan& plan) : structure_(structure), plan_(plan) {}

  /// Nodes added from here on belong to `layer` and are named "<prefix><role>".
  void enter(std::int64_t layer, std::string prefix) {
    layer_ = layer;
    prefix_ = std::move(prefix);
  }
  std::int64_t layer() const { return layer_; }
  DType activations() const { return plan_.precision.activations.at(layer_, Role::embed); }
  const Plan& plan() const { return plan_; }
  Structure& structure() { return structure_; }

  View buffer(std::string_view role, Rows rows, std::int64_t columns, DType dtype) {
    structure_.buffers.push_back({prefix_ + std::string{role}, rows, columns, dtype});
    return {static_cast<std::int32_t>(structure_.buffers.size() - 1), 0, columns};
  }
  std::int32_t weight(WeightSpec spec) {
    structure_.weights.push_back(std::move(spec));
    return static_cast<std::int32_t>(structure_.weights.size() - 1);
  }
  /// A vector of `columns` read from one checkpoint tensor.
  std::int32_t vector(const std::string& tensor, std::int64_t columns, DType dtype) {
    return weight({tensor, 1, 1, columns, {dtype}, {{.tensor = tensor, .rows = columns}}});
  }
  void node(Role role, AnyOperator op, Rows rows, std::vector<View> reads, std::vector<View> writes,
            std::vector<std::int32_t> weights = {}) {
    structure_.nodes.push_back({prefix_ + std::string{name(role)}, layer_, role, std::move(op), rows,
                                std::move(reads), std::move(writes), std::move(weights)});
  }

  /// y = x Wᵀ (+ b) with the checkpoint's `tensor`.weight (and .bias), under the plan's weight format for
  /// `role`.
  View linear(Role role, View x, std::int64_t out, const std::string& tensor, bool bias,
              Rows rows = Rows::tokens) {
    const DType y_dtype = role == Role::router || role == Role::lm_head ? DType::f32 : activations();
    return linear_to(role, x, buffer(name(role), rows, out, y_dtype), tensor, bias, rows);
  }
  View linear_to(Role role, View x, View y, const std::string& tensor, bool bias, Rows rows) {
    // A router decides which weights are read at all: published models keep it unquantised.
    const DType w = role == Role::router ? activations() : plan_.precision.weights.at(layer_, role);
    std::vector<std::int32_t> weights{weight({tensor + ".weight",
                                              1,
                                              y.columns,
                                              x.columns,
                                              {w},
                                              {{.tensor = tensor + ".weight", .rows = y.columns}}})};
    if (bias) weights.push_back(vector(tensor + ".bias", y.columns, DType::f32));
    const DType y_dtype = structure_.buffers[static_cast<std::size_t>(y.buffer)].dtype;
    node(role,
         Linear{.in = x.columns, .out = y.columns, .x = activations(), .y = y_dtype, .w = {w}, .bias = bias},
         rows, {x}, {y}, std::move(weights));
    return y;
  }
  View norm(Role role, View x, View y, const std::string& tensor, std::int64_t groups, double eps,
            Rows rows = Rows::tokens) {
    const std::int64_t width = x.columns / groups;
    node(role, RmsNorm{.groups = groups, .width = width, .dtype = activations(), .eps = eps}, rows, {x}, {y},
         {vector(tensor + ".weight", width, activations())});
    return y;
  }
  View add(View x, View residual) {
    const View y = buffer("add", Rows::tokens, x.columns, activations());
    node(Role::add, Add{.width = x.columns, .dtype = activations()}, Rows::tokens, {x, residual}, {y});
    return y;
  }
  View gated(Role role, View gate, View up, Activation activation, Rows rows) {
    const View y = buffer(name(role), rows, gate.columns, activations());
    node(role, GatedActivation{.width = gate.columns, .activation = activation, .dtype = activations()}, rows,
         {gate, up}, {y});
    return y;
  }
  /// Sums `x` over the devices that share the layer, where there are several.
  View all_reduce(View x) {
    if (plan_.parallel.tensor == 1) return x;
    const View y = buffer("all_reduce", Rows::tokens, x.columns, activations());
    node(Role::all_reduce,
         AllReduce{.width = x.columns, .ranks = plan_.parallel.tensor, .dtype = activations()}, Rows::tokens,
         {x}, {y});
    return y;
  }
  /// To the next stage of the pipeline.
  View hand_over(View x) {
    const View y = buffer("hand_over", Rows::tokens, x.columns, activations());
    node(Role::hand_over, HandOver{.width = x.columns, .dtype = activations()}, Rows::tokens, {x}, {y});
    return y;
  }

 private:
  Structure& structure_;
  const Plan& plan_;
  std::int64_t layer_ = -1;
  std::string prefix_;
};

}  // namespace inferometer
