#pragma once
#include <filesystem>
#include <map>
#include <vector>

#include "executor/weights/safetensors.hpp"
#include "executor/weights/weight_reader.hpp"

namespace inferometer {

/// A published model's weights: one safetensors file, or an index of several (model.safetensors.index.json).
class Checkpoint final : public WeightReader {
 public:
  /// path: a .safetensors file, an index, or a folder that holds one or the other.
  [[nodiscard]] static Result<Checkpoint> open(const std::filesystem::path& path);

  /// Each tensor that the structure names must be there in a format that is read, with just the extents that
  /// the structure takes from it.
  Errors check(const Structure& structure) const override;
  void read(const WeightSpec& spec, std::int64_t matrix, std::int64_t row, std::int64_t count,
            float* out) const override;

 private:
  Errors add(const std::filesystem::path& file);
  Errors add_shards(const std::filesystem::path& index);
  const StoredTensor* find(const std::string& name) const;

  std::string name_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, std::size_t> file_of_;  ///< tensor -> index into files_
};

}  // namespace inferometer
