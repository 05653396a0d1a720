#include "executor/weights/checkpoint.hpp"

#include <algorithm>
#include <fstream>
#include <set>

#include "model/reader.hpp"

namespace inferometer {
namespace {

namespace fs = std::filesystem;

/// What the parts of a structure take from one tensor.
struct Wanted {
  std::int64_t matrices = 0, rows = 0, columns = 0;
  bool is_vector = false;

  std::vector<std::int64_t> shape() const {
    std::vector<std::int64_t> all;
    if (matrices > 0) all.push_back(matrices);
    all.push_back(rows);
    if (!is_vector) all.push_back(columns);
    return all;
  }
};

std::map<std::string, Wanted> wanted_of(const Structure& structure) {
  std::map<std::string, Wanted> all;
  for (const WeightSpec& spec : structure.weights) {
    for (const WeightPart& part : spec.parts) {
      Wanted& w = all[part.tensor];
      std::int64_t rows = part.source_row + (part.rows - 1) * part.source_stride + 1;
      std::int64_t columns = part.source_column + extent(spec).columns;
      if (part.transposed) std::swap(rows, columns);
      w.matrices = std::max(w.matrices, part.source_matrix + 1);
      w.rows = std::max(w.rows, rows);
      w.columns = std::max(w.columns, columns);
      w.is_vector = spec.rows == 1;
    }
  }
  return all;
}

std::string text_of(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t extent : shape) text += (text.empty() ? "" : ", ") + std::to_string(extent);
  return "[" + text + "]";
}

Result<std::string> text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in) return failure("cannot be read", Location{file.string()});
  return text;
}

}  // namespace

Result<Checkpoint> Checkpoint::open(const fs::path& path) {
  std::error_code ignored;
  fs::path file = path;
  if (fs::is_directory(path, ignored)) {
    file = path / "model.safetensors";
    if (!fs::exists(file, ignored)) file = path / "model.safetensors.index.json";
    if (!fs::exists(file, ignored)) {
      return failure("holds neither model.safetensors nor model.safetensors.index.json",
                     Location{path.string()});
    }
  }
  Checkpoint checkpoint;
  checkpoint.name_ = file.string();
  Errors errors = file.extension() == ".json" ? checkpoint.add_shards(file) : checkpoint.add(file);
  if (!errors.empty()) return failure(std::move(errors));
  return checkpoint;
}

Errors Checkpoint::add(const fs::path& path) {
  Result<SafetensorsFile> file = SafetensorsFile::open(path);
  if (!file) return file.error();
  Errors errors;
  const auto place = [&](const std::string& tensor) {
    if (!file_of_.emplace(tensor, files_.size()).second)
      errors.push_back({in_quotes(tensor) + " is in an earlier shard too", {path.string()}});
  };
  for (const auto& [tensor, stored] : file->tensors) place(tensor);
  for (const auto& [tensor, format] : file->other_formats) place(tensor);
  files_.push_back(std::move(*file));
  return errors;
}

Errors Checkpoint::add_shards(const fs::path& index) {
  const Result<std::string> text = text_of(index);
  if (!text) return text.error();
  const Result<Document> document = parse_json(*text, index.string());
  if (!document) return document.error();
  Errors errors;
  Reader in(*document, "", errors);
  in.raw("metadata");
  const Document* weight_map = in.raw("weight_map");
  in.reject_unknown_keys();
  if (weight_map == nullptr || weight_map->kind != Document::Kind::mapping) {
    in.error("weight_map", "a mapping of tensors to files is needed");
    return errors;
  }
  std::set<std::string> shards;
  for (const Document::Entry& entry : weight_map->mapping) {
    const std::string& shard = entry.value.scalar;
    if (entry.value.kind != Document::Kind::scalar || !entry.value.quoted ||
        fs::path(shard).filename() != shard) {
      errors.push_back({"weight_map: the name of a file beside the index is needed", entry.value.where});
    } else {
      shards.insert(shard);
    }
  }
  for (const std::string& shard : shards) {
    Errors more = add(index.parent_path() / shard);
    errors.insert(errors.end(), more.begin(), more.end());
  }
  if (!errors.empty()) return errors;
  for (const Document::Entry& entry : weight_map->mapping) {
    if (!file_of_.contains(entry.key))
      errors.push_back({in_quotes(entry.key) + " is not in " + entry.value.scalar, entry.key_where});
  }
  return errors;
}

const StoredTensor* Checkpoint::find(const std::string& name) const {
  const auto file = file_of_.find(name);
  if (file == file_of_.end()) return nullptr;
  const auto& tensors = files_[file->second].tensors;
  const auto tensor = tensors.find(name);
  return tensor == tensors.end() ? nullptr : &tensor->second;
}

Errors Checkpoint::check(const Structure& structure) const {
  Errors errors;
  const Location where{name_};
  for (const auto& [name, wanted] : wanted_of(structure)) {
    const auto file = file_of_.find(name);
    const StoredTensor* tensor = find(name);
    if (file == file_of_.end()) {
      errors.push_back({"no tensor " + in_quotes(name), where});
    } else if (tensor == nullptr) {
      errors.push_back({in_quotes(name) + " is stored as " + files_[file->second].other_formats.at(name) +
                            "; F32, BF16 or F16 is needed",
                        where});
    } else if (tensor->shape != wanted.shape()) {
      errors.push_back({in_quotes(name) + " has the shape " + text_of(tensor->shape) +
                            ", the network needs " + text_of(wanted.shape()),
                        where});
    }
  }
  return errors;
}

void Checkpoint::read(const WeightSpec& spec, std::int64_t matrix, std::int64_t row, std::int64_t count,
                      float* out) const {
  const std::int64_t columns = extent(spec).columns;
  for_parts(
      spec, matrix, row, count, [&](const WeightPart& part, std::int64_t r, std::int64_t at, std::int64_t n) {
        const StoredTensor& tensor = *find(part.tensor);
        const std::int64_t width = spec.rows == 1 ? 1 : tensor.shape.back();
        std::int64_t base = 0;
        if (part.source_matrix >= 0) {
          base = part.source_matrix * width * tensor.shape[1];
        }
        for (std::int64_t i = 0; i < n; ++i) {
          const std::int64_t source = part.source_row + (r + i) * part.source_stride;
          float* to = out + (at + i) * columns;
          for (std::int64_t c = 0; c < columns; ++c) {
            const std::int64_t column = part.source_column + c;
            to[c] = tensor.at(base + (part.transposed ? column * width + source : source * width + column));
          }
        }
      });
}

}  // namespace inferometer
