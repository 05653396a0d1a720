#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/result.hpp"

namespace inferometer {

/// How a tensor of a file is stored; the formats that weights are read from.
enum class StoredAs { f32, bf16, f16 };

/// One tensor of a mapped file; valid as long as the file is.
struct StoredTensor {
  std::vector<std::int64_t> shape;
  StoredAs format = StoredAs::f32;
  const char* data = nullptr;

  /// Element `index`, row-major.
  float at(std::int64_t index) const;
};

/// A safetensors file, mapped into memory.   format: an 8-byte little-endian length, a JSON header {name:
/// {dtype, shape, data_offsets}}, the values. Everything is checked before a value is used: the header is
/// strict JSON of at most 100 MB, offsets lie inside the file, do not overlap or leave gaps, and fit the
/// shape and dtype.
class SafetensorsFile {
 public:
  /// errors  at the file, or inside its header; all that are found
  [[nodiscard]] static Result<SafetensorsFile> open(const std::filesystem::path& file);
  /// Names with their tensors. Those in other formats than StoredAs are in `other_formats`.
  std::map<std::string, StoredTensor> tensors;
  std::map<std::string, std::string> other_formats;

 private:
  std::shared_ptr<const char> mapping_;
};

}  // namespace inferometer
