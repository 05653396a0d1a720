#include "executor/cuda/constants.hpp"

#include <algorithm>

#include "executor/cuda/kernels/kernels.hpp"
#include "executor/cuda/kernels/products.hpp"
#include "executor/cuda/tensor_map.hpp"
#include "executor/weights/half.hpp"
#include "executor/weights/seeded_weights.hpp"
#include "model/seeded.hpp"

namespace inferometer::cuda {
namespace {

std::int64_t elements(const WeightSpec& spec) { return spec.matrices * spec.rows * spec.columns; }

void fill(const WeightSpec& spec, std::uint64_t seed, char* to, cudaStream_t stream) {
  const WeightExtent size = extent(spec);
  for (const WeightPart& part : spec.parts) {
    const SeededScale scale = seeded_scale(spec, part);
    const std::int64_t start = (part.matrix * size.rows + part.row) * size.columns;
    fill_seeded({.out = to + size_of(start, spec.format.dtype).value,
                 .f32 = spec.format.dtype == DType::f32,
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
Done copy(const WeightSpec& spec, const WeightReader& reader, char* to) {
  const WeightExtent size = extent(spec);
  const std::int64_t run = std::max<std::int64_t>(1, (1 << 22) / size.columns);
  std::vector<float> values(static_cast<std::size_t>(run * size.columns));
  std::vector<std::uint16_t> halves;
  for (std::int64_t m = 0; m < spec.matrices; ++m) {
    for (std::int64_t row = 0; row < size.rows; row += run) {
      const std::int64_t count = std::min(run, size.rows - row), n = count * size.columns;
      reader.read(spec, m, row, count, values.data());
      const void* from = values.data();
      if (spec.format.dtype == DType::bf16) {
        halves.resize(static_cast<std::size_t>(n));
        std::transform(values.begin(), values.begin() + n, halves.begin(), float_to_bf16);
        from = halves.data();
      }
      const Bytes start = size_of((m * size.rows + row) * size.columns, spec.format.dtype);
      const auto bytes = static_cast<std::size_t>(size_of(n, spec.format.dtype).value);
      const Done done =
          checked(cudaMemcpy(to + start.value, from, bytes, cudaMemcpyHostToDevice), "copying weights");
      if (!done) return done;
    }
  }
  return std::monostate{};
}

}  // namespace

std::vector<Bytes> weight_offsets(const Structure& structure) {
  std::vector<Bytes> offsets{Bytes{0}};
  for (const WeightSpec& spec : structure.weights) {
    const std::int64_t end = (offsets.back() + size_of(elements(spec), spec.format.dtype)).value;
    offsets.push_back(Bytes{(end + 255) / 256 * 256});
  }
  return offsets;
}

Result<Constants> load_constants(const Structure& structure, const WeightReader* reader, std::uint64_t seed,
                                 const Gpu& gpu) {
  if (reader != nullptr) {
    if (Errors errors = reader->check(structure); !errors.empty()) return failure(std::move(errors));
  }
  const std::vector<Bytes> offsets = weight_offsets(structure);
  Constants constants;
  Result<DeviceBuffer> memory = DeviceBuffer::of(offsets.back());
  if (!memory) return failure(memory.error());
  constants.memory = std::move(*memory);
  for (std::size_t i = 0; i < structure.weights.size(); ++i) {
    const WeightSpec& spec = structure.weights[i];
    Constant constant{.data = constants.memory.data() + offsets[i].value, .map = std::nullopt};
    if (reader == nullptr) {
      fill(spec, seed, constant.data, nullptr);
    } else if (const Done done = copy(spec, *reader, constant.data); !done) {
      return failure(done.error());
    }
    if (gpu.hopper() && spec.matrices == 1 && spec.rows > 1 && spec.format.dtype == DType::bf16 &&
        spec.columns % 8 == 0) {
      const Result<CUtensorMap> map = tensor_map({.data = constant.data,
                                                  .rows = spec.rows,
                                                  .columns = spec.columns,
                                                  .stride = spec.columns,
                                                  .box_rows = streamed_rows});
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
