#pragma once
#include <tuple>
#include <variant>

#include "model/operators/all_reduce.hpp"
#include "model/operators/all_to_all.hpp"
#include "model/operators/attention.hpp"
#include "model/operators/embedding.hpp"
#include "model/operators/hand_over.hpp"
#include "model/operators/linear.hpp"
#include "model/operators/moe.hpp"
#include "model/operators/norm.hpp"
#include "model/operators/pointwise.hpp"
#include "model/operators/quantize.hpp"
#include "model/operators/rope.hpp"

namespace inferometer {

/// The list of operators. FLOPs, bytes, buffers, reference numerics, documentation rows and tests derive from
/// it.
using AnyOperator = std::variant<Embedding, GatherRows, RmsNorm, AddRmsNorm, Linear, BatchedLinear, RopeApply,
                                 KvWrite, Attention, GatedActivation, Add, Router, ExpertLinear,
                                 ExpertCombine, Quantize, AllReduce, AllToAll, HandOver, Argmax>;

inline std::string_view name(const AnyOperator& op) {
  return std::visit([](const auto& o) { return std::string_view{o.name}; }, op);
}
inline Flops flops(const AnyOperator& op) {
  return std::visit([](const auto& o) { return o.flops(); }, op);
}
inline Operands operands(const AnyOperator& op) {
  return std::visit([](const auto& o) { return o.operands(); }, op);
}
/// Bytes each operand moves once, reads and writes.
Bytes compulsory_bytes(const AnyOperator& op);

}  // namespace inferometer
