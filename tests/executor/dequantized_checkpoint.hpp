#pragma once
#include <functional>

#include "executor/weights/checkpoint.hpp"
#include "executor/weights/half.hpp"
#include "model/result.hpp"
#include "tests/executor/safetensors_files.hpp"

// What a network of quantised weights is compared with: the same network in f32, of the values that its
// stored formats stand for.
namespace inferometer {

/// Replaces the values of one matrix [rows, columns] by what its stored format keeps of them.
using KeepWhatIsStored =
    std::function<void(const WeightSpec& spec, std::int64_t rows, std::int64_t columns, float* values)>;

/// The tensors of all model*.safetensors of a folder.
struct StoredNetwork {
  std::vector<SafetensorsFile> files;
  std::map<std::string, StoredTensor> tensors;
};
inline StoredNetwork stored_network(const std::filesystem::path& folder) {
  StoredNetwork network;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::filesystem::path& path = entry.path();
    if (path.extension() != ".safetensors" || !path.filename().string().starts_with("model")) continue;
    auto file = SafetensorsFile::open(path);
    require(file.has_value(), "a readable file of tensors");
    network.tensors.insert(file->tensors.begin(), file->tensors.end());
    network.files.push_back(std::move(*file));
  }
  return network;
}

/// Writes a copy of the checkpoint in folder `from` (one file or several, and config.json) to `to`, in one
/// file and all in f32.
/// Each matrix that `structure` stores in another format than f32 or bf16 is made as the executor makes it,
/// of parts of tensors rounded to bf16, given to `keep`, and laid back into those tensors.
inline void write_dequantized(const std::filesystem::path& from, const Structure& structure,
                              const KeepWhatIsStored& keep, const TemporaryFolder& to) {
  const StoredNetwork network = stored_network(from);
  const auto checkpoint = Checkpoint::open(from);
  require(checkpoint && checkpoint->check(structure).empty(), "a checkpoint of this structure");
  std::map<std::string, std::vector<float>> tensors;
  for (const auto& [name, stored] : network.tensors) {
    std::int64_t count = 1;
    for (const std::int64_t extent : stored.shape) count *= extent;
    for (std::int64_t i = 0; i < count; ++i) tensors[name].push_back(stored.at(i));
  }
  for (const WeightSpec& spec : structure.weights) {
    if (spec.format.dtype == DType::f32 || spec.format.dtype == DType::bf16) continue;
    const WeightExtent size = extent(spec);
    std::vector<float> values(static_cast<std::size_t>(size.rows * size.columns));
    for (std::int64_t matrix = 0; matrix < spec.matrices; ++matrix) {
      checkpoint->read(spec, matrix, 0, size.rows, values.data());
      for (float& v : values) v = bf16_to_float(float_to_bf16(v));
      keep(spec, size.rows, size.columns, values.data());
      for (const WeightPart& part : spec.parts) {
        if (part.matrix != matrix) continue;
        const std::vector<std::int64_t>& shape = network.tensors.at(part.tensor).shape;
        const std::int64_t width = shape.back(), height = shape[shape.size() - 2];
        const std::int64_t start = std::max<std::int64_t>(0, part.source_matrix) * height * width;
        for (std::int64_t i = 0; i < part.rows * size.columns; ++i) {
          const std::int64_t row = part.source_row + i / size.columns * part.source_stride;
          const std::int64_t column = part.source_column + i % size.columns;
          const std::int64_t at = start + (part.transposed ? column * width + row : row * width + column);
          tensors[part.tensor][static_cast<std::size_t>(at)] =
              values[static_cast<std::size_t>(part.row * size.columns + i)];
        }
      }
    }
  }
  std::string header;
  std::vector<float> all;
  for (const auto& [name, values] : tensors) {
    std::string shape;
    for (const std::int64_t extent : network.tensors.at(name).shape)
      shape += (shape.empty() ? "" : ",") + std::to_string(extent);
    const std::size_t begin = all.size() * sizeof(float);
    all.insert(all.end(), values.begin(), values.end());
    header += (header.empty() ? "{\"" : ",\"") + name + R"(":{"dtype":"F32","shape":[)" + shape +
              R"(],"data_offsets":[)" + std::to_string(begin) + "," +
              std::to_string(all.size() * sizeof(float)) + "]}";
  }
  to.write("model.safetensors", safetensors(header + "}", all));
  std::filesystem::copy_file(from / "config.json", to.path() / "config.json");
}

}  // namespace inferometer
