#include "executor/cpu/constants.hpp"

#include <algorithm>
#include <cmath>

#include "executor/cpu/bf16.hpp"

namespace inferometer::cpu {
namespace {

struct Forms {
  bool packed = false, plain = false;
  bool by_expert = false;  ///< one product per matrix, each with its own rows
};

/// The first weight of a product is packed; its bias and everything else is read as it lies.
std::vector<Forms> forms_of(const Structure& structure) {
  std::vector<Forms> forms(structure.weights.size());
  for (const StructureNode& node : structure.nodes) {
    const bool expert = std::holds_alternative<ExpertLinear>(node.op);
    const bool product =
        expert || std::holds_alternative<Linear>(node.op) || std::holds_alternative<BatchedLinear>(node.op);
    for (std::size_t w = 0; w < node.weights.size(); ++w) {
      Forms& form = forms[static_cast<std::size_t>(node.weights[w])];
      (product && w == 0 ? form.packed : form.plain) = true;
      if (product && w == 0) form.by_expert = expert;
    }
  }
  return forms;
}

/// Calls f(matrix, first row, rows, values) for runs of rows, on all threads.
template <class F>
void for_rows(const WeightSpec& spec, const WeightReader& reader, std::int64_t first_matrix,
              std::int64_t matrices, F f) {
  const WeightExtent size = extent(spec);
  const std::int64_t run = std::max<std::int64_t>(1, (1 << 16) / size.columns);
  const std::int64_t runs = (size.rows + run - 1) / run;
#pragma omp parallel
  {
    std::vector<float> values(static_cast<std::size_t>(run * size.columns));
#pragma omp for collapse(2) schedule(dynamic)
    for (std::int64_t m = 0; m < matrices; ++m) {
      for (std::int64_t r = 0; r < runs; ++r) {
        const std::int64_t first = r * run, count = std::min(run, size.rows - first);
        reader.read(spec, first_matrix + m, first, count, values.data());
        f(m, first, count, values.data());
      }
    }
  }
}

void store(const float* from, DType dtype, char* to, std::int64_t at, std::int64_t count) {
  if (dtype == DType::bf16) {
    auto* out = reinterpret_cast<bf16*>(to) + at;
    for (std::int64_t i = 0; i < count; ++i) out[i] = to_bf16(from[i]);
  } else {
    std::copy(from, from + count, reinterpret_cast<float*>(to) + at);
  }
}

/// One scale per row: the largest magnitude becomes 127.
void quantize_row(const float* from, std::int64_t columns, std::int8_t* to, float& scale) {
  float top = 0;
  for (std::int64_t c = 0; c < columns; ++c) top = std::max(top, std::fabs(from[c]));
  scale = top / 127.0F;
  const float factor = top > 0 ? 127.0F / top : 0.0F;
  for (std::int64_t c = 0; c < columns; ++c) to[c] = static_cast<std::int8_t>(std::lrintf(from[c] * factor));
}

AlignedBuffer plain_of(const WeightSpec& spec, const WeightReader& reader) {
  const WeightExtent size = extent(spec);
  AlignedBuffer values(size_of(spec.matrices * size.rows * size.columns, spec.format.dtype).value);
  for_rows(spec, reader, 0, spec.matrices,
           [&](std::int64_t m, std::int64_t first, std::int64_t count, const float* from) {
             store(from, spec.format.dtype, values.data(), (m * size.rows + first) * size.columns,
                   count * size.columns);
           });
  return values;
}

Result<PackedWeights> pack(const WeightSpec& spec, const WeightReader& reader, std::int64_t first,
                           std::int64_t matrices, Products& products) {
  const std::int64_t rows = spec.rows, columns = spec.columns;
  const DType dtype = spec.format.dtype;
  AlignedBuffer values(size_of(matrices * rows * columns, dtype).value);
  std::vector<float> scales(dtype == DType::int8 ? static_cast<std::size_t>(matrices * rows) : 0);
  for_rows(spec, reader, first, matrices,
           [&](std::int64_t m, std::int64_t row, std::int64_t count, const float* from) {
             if (dtype != DType::int8)
               return store(from, dtype, values.data(), (m * rows + row) * columns, count * columns);
             for (std::int64_t r = 0; r < count; ++r) {
               const std::int64_t to = m * rows + row + r;
               quantize_row(from + r * columns, columns,
                            reinterpret_cast<std::int8_t*>(values.data()) + to * columns,
                            scales[static_cast<std::size_t>(to)]);
             }
           });
  return products.pack({.values = values.data(),
                        .dtype = dtype,
                        .scales = scales.empty() ? nullptr : scales.data(),
                        .matrices = matrices,
                        .out = rows,
                        .in = columns});
}

}  // namespace

Bytes Constant::bytes() const {
  Bytes sum{plain.size()};
  for (const PackedWeights& w : packed) sum += w.bytes();
  return sum;
}

Result<std::vector<Constant>> load_constants(const Structure& structure, const WeightReader& reader,
                                             Products& products) {
  if (Errors errors = reader.check(structure); !errors.empty()) return failure(std::move(errors));
  const std::vector<Forms> forms = forms_of(structure);
  std::vector<Constant> constants(structure.weights.size());
  for (std::size_t i = 0; i < constants.size(); ++i) {
    const WeightSpec& spec = structure.weights[i];
    if (forms[i].plain) constants[i].plain = plain_of(spec, reader);
    if (!forms[i].packed) continue;
    const std::int64_t each = forms[i].by_expert ? 1 : spec.matrices;
    for (std::int64_t m = 0; m < spec.matrices; m += each) {
      Result<PackedWeights> packed = pack(spec, reader, m, each, products);
      if (!packed) return failure(packed.error());
      constants[i].packed.push_back(std::move(*packed));
    }
  }
  return constants;
}

}  // namespace inferometer::cpu
