#pragma once
#include <string>
#include <variant>
#include <vector>

#include "roofline/kernels/collective.hpp"
#include "roofline/kernels/context_attention.hpp"
#include "roofline/kernels/decode_attention.hpp"
#include "roofline/kernels/eager_collective.hpp"
#include "roofline/kernels/elementwise.hpp"
#include "roofline/kernels/gated_product.hpp"
#include "roofline/kernels/gemm.hpp"
#include "roofline/kernels/gemv.hpp"
#include "roofline/kernels/grouped_gemm.hpp"
#include "roofline/kernels/linear_attention.hpp"
#include "roofline/kernels/mla_bmm.hpp"
#include "roofline/kernels/mla_kernel.hpp"
#include "roofline/kernels/mla_module.hpp"
#include "roofline/kernels/moe.hpp"
#include "roofline/kernels/paged_decode.hpp"
#include "roofline/kernels/quantize.hpp"

namespace inferometer {

/// A kernel, or the few that a framework runs as one, with its sizes: what published measurements time. A new
/// one is a header, and a type in this list. Each has
///   name           the operator
///   variant()      what of it has parameters of its own: the format of its operands, or a kernel
///   shape()        the sizes a model fixes; calls that differ in the others are one shape at several loads
///   label()        its sizes, for people
///   features()     what distance between calls is measured in (log2 of sizes)
///   multiplied()   the dtype whose matrix rate it needs
///   parameters()   of its model
///   time()         the model
using KernelCall = std::variant<Gemm, ContextAttention, DecodeAttention, MoeLayer, MlaKernel, MlaBmm,
                                MlaModule, QuantizeKernel, Collective, Elementwise, GroupedGemm, Gemv,
                                LinearAttention, EagerCollective, PagedDecode, GatedProduct>;

inline std::string_view operator_of(const KernelCall& call) {
  return std::visit([](const auto& c) { return std::decay_t<decltype(c)>::name; }, call);
}
inline std::string variant_of(const KernelCall& call) {
  return std::visit([](const auto& c) { return c.variant(); }, call);
}
inline std::vector<std::int64_t> shape_of(const KernelCall& call) {
  return std::visit([](const auto& c) { return c.shape(); }, call);
}
inline std::string label_of(const KernelCall& call) {
  return std::visit([](const auto& c) { return c.label(); }, call);
}
inline std::vector<double> features_of(const KernelCall& call) {
  return std::visit([](const auto& c) { return c.features(); }, call);
}
inline DType multiplied_by(const KernelCall& call) {
  return std::visit([](const auto& c) { return c.multiplied(); }, call);
}
inline std::span<const KernelParameter> parameters_of(const KernelCall& call) {
  return std::visit([](const auto& c) { return c.parameters(); }, call);
}
inline KernelTime time_of(const KernelCall& call, const Chip& chip, Values values) {
  return std::visit([&](const auto& c) { return c.time(chip, values); }, call);
}

}  // namespace inferometer
