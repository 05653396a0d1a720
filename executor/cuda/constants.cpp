#include "executor/cuda/constants.hpp"

#include <algorithm>

#include "executor/cuda/kernels/experts.hpp"
#include "executor/cuda/kernels/int4.hpp"
#include "executor/cuda/kernels/kernels.hpp"
#include "executor/cuda/kernels/packing.hpp"
#include "executor/cuda/tensor_map.hpp"
#include "executor/weights/half.hpp"
#include "executor/weights/seeded_weights.hpp"
#include "model/seeded.hpp"

namespace inferometer::cuda {
namespace {

std::int64_t elements(const WeightSpec& spec) { return spec.matrices * spec.rows * spec.columns; }

/// What is filled in from a seed or a checkpoint: matrix `matrix` of a weight in `dtype`, which the stored
/// format is made of.
struct Values {
  const WeightSpec& spec;
  std::int64_t matrix = 0;
  DType dtype = DType::bf16;
  char* to = nullptr;
};

void fill(const Values& v, std::uint64_t seed, cudaStream_t stream) {
  const WeightExtent size = extent(v.spec);
  for (const WeightPart& part : v.spec.parts) {
    if (part.matrix != v.matrix) continue;
    const SeededScale scale = seeded_scale(v.spec, part);
    fill_seeded({.out = v.to + size_of(part.row * size.columns, v.dtype).value,
                 .f32 = v.dtype == DType::f32,
                 .count = part.rows,
                 .columns = size.columns,
                 .key = tensor_key(seed, part.tensor),
                 .matrix = static_cast<std::uint64_t>(part.source_matrix + 1),
                 .source_row = part.source_row,
                 .source_stride = part.source_stride,
                 .source_column = part.source_column,
                 .transposed = part.transposed,
                 .center = scale.center,
                 .size = scale.size},
                {.stream = stream});
  }
}

/// Reads in runs of some megabytes, so that the host never holds a whole tensor twice.
Done copy(const Values& v, const WeightReader& reader) {
  const WeightExtent size = extent(v.spec);
  const std::int64_t run = std::max<std::int64_t>(1, (1 << 22) / size.columns);
  std::vector<float> values(static_cast<std::size_t>(run * size.columns));
  std::vector<std::uint16_t> halves;
  for (std::int64_t row = 0; row < size.rows; row += run) {
    const std::int64_t count = std::min(run, size.rows - row), n = count * size.columns;
    reader.read(v.spec, v.matrix, row, count, values.data());
    const void* from = values.data();
    if (v.dtype == DType::bf16) {
      halves.resize(static_cast<std::size_t>(n));
      std::transform(values.begin(), values.begin() + n, halves.begin(), float_to_bf16);
      from = halves.data();
    }
    const Bytes start = size_of(row * size.columns, v.dtype);
    const auto bytes = static_cast<std::size_t>(size_of(n, v.dtype).value);
    const Done done =
        checked(cudaMemcpy(v.to + start.value, from, bytes, cudaMemcpyHostToDevice), "copying weights");
    if (!done) return done;
  }
  return std::monostate{};
}

/// A map over the rows of all experts, which lie one after another. Copies move bytes: two e4m3 count as one
/// element.
Result<CUtensorMap> map_experts(const WeightSpec& spec, const char* data) {
  const std::int64_t columns = size_of(spec.columns, spec.format.dtype).value / 2;
  return tensor_map({.data = data,
                     .rows = spec.matrices * spec.rows,
                     .columns = columns,
                     .stride = columns,
                     .box_rows = expert_box_rows});
}
bool multiplied_by_experts(const WeightSpec& spec) {
  const DType dtype = spec.format.dtype;
  return spec.matrices > 1 && spec.rows > 1 && (dtype == DType::bf16 || dtype == DType::fp8) &&
         size_of(spec.columns, dtype).value % 16 == 0;
}

/// Makes matrix `matrix` of a format with scales of its bf16 values.
void pack(const WeightSpec& spec, std::int64_t matrix, const Bf16* values, const Constant& to) {
  const std::int64_t count = spec.rows * spec.columns;
  if (spec.format.dtype == DType::fp8) {
    quantize_fp8_weight({.values = values,
                         .q = reinterpret_cast<std::uint8_t*>(to.data) + matrix * count,
                         .scale = reinterpret_cast<float*>(to.scales) + matrix,
                         .count = count},
                        {});
    return;
  }
  if (spec.format.dtype == DType::int4) {
    pack_int4(int4_weight(to) + matrix * int4_units(spec.rows, spec.columns), values, spec.rows, spec.columns,
              {});
    return;
  }
  require(false, "a format that supported.cpp refuses");
}

}  // namespace

Places places_of(const Structure& structure) {
  Places places;
  const auto place = [&](std::int64_t elements, DType dtype) {
    return place_part(places.total, size_of(elements, dtype));
  };
  for (const WeightSpec& spec : structure.weights) {
    if (spec.format.dtype == DType::int4) {
      const std::int64_t units = spec.matrices * int4_units(spec.rows, spec.columns);
      places.all.push_back({.data = place(units * static_cast<std::int64_t>(sizeof(Int4Unit)), DType::int8)});
      continue;
    }
    Place p{.data = place(elements(spec), spec.format.dtype)};
    if (spec.format.dtype == DType::fp8) p.scales = place(spec.matrices, DType::f32);
    places.all.push_back(p);
  }
  return places;
}

Result<Constants> load_constants(const Structure& structure, const WeightReader* reader, std::uint64_t seed,
                                 const Gpu& gpu) {
  if (reader != nullptr) {
    if (Errors errors = reader->check(structure); !errors.empty()) return failure(std::move(errors));
  }
  const Places places = places_of(structure);
  Constants constants;
  Result<DeviceBuffer> memory = DeviceBuffer::of(places.total);
  if (!memory) return failure(memory.error());
  constants.memory = std::move(*memory);
  DeviceBuffer staging;  // a matrix of bf16 values that a packed format is made of
  for (std::size_t i = 0; i < structure.weights.size(); ++i) {
    const WeightSpec& spec = structure.weights[i];
    const Place& place = places.all[i];
    char* base = constants.memory.data();
    Constant constant{
        .data = base + place.data.value, .scales = base + place.scales.value, .map = std::nullopt};
    const bool packed = spec.format.dtype != DType::bf16 && spec.format.dtype != DType::f32;
    const WeightExtent size = extent(spec);
    if (const Bytes need = size_of(size.rows * size.columns, DType::bf16); packed && need > staging.size()) {
      staging = {};
      Result<DeviceBuffer> made = DeviceBuffer::of(need);
      if (!made) return failure(made.error());
      staging = std::move(*made);
    }
    for (std::int64_t m = 0; m < spec.matrices; ++m) {
      const DType dtype = packed ? DType::bf16 : spec.format.dtype;
      const std::int64_t start = size_of(m * size.rows * size.columns, spec.format.dtype).value;
      const Values values{spec, m, dtype, packed ? staging.data() : constant.data + start};
      if (reader == nullptr) {
        fill(values, seed, nullptr);
      } else if (const Done done = copy(values, *reader); !done) {
        return failure(done.error());
      }
      if (packed) pack(spec, m, reinterpret_cast<const Bf16*>(staging.data()), constant);
    }
    if (gpu.hopper() && multiplied_by_experts(spec)) {
      const Result<CUtensorMap> map = map_experts(spec, constant.data);
      if (!map) return failure(map.error());
      constant.map = *map;
    }
    constants.all.push_back(constant);
  }
  const Done done = checked(cudaDeviceSynchronize(), "loading weights");
  if (!done) return failure(done.error());
  return constants;
}

}  // namespace inferometer::cuda
