#include "executor/weights/safetensors.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "executor/weights/half.hpp"
#include "model/reader.hpp"

namespace inferometer {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors stores little-endian values");

constexpr std::uint64_t prefix_bytes = 8;

struct Format {
  std::string_view name;
  std::int64_t bits;
  std::optional<StoredAs> read_as;
};
constexpr std::array formats{
    Format{"F32", 32, StoredAs::f32},
    Format{"BF16", 16, StoredAs::bf16},
    Format{"F16", 16, StoredAs::f16},
    Format{"F64", 64, {}},
    Format{"I64", 64, {}},
    Format{"U64", 64, {}},
    Format{"I32", 32, {}},
    Format{"U32", 32, {}},
    Format{"I16", 16, {}},
    Format{"U16", 16, {}},
    Format{"I8", 8, {}},
    Format{"U8", 8, {}},
    Format{"BOOL", 8, {}},
    Format{"F8_E4M3", 8, {}},
    Format{"F8_E5M2", 8, {}},
    Format{"F8_E8M0", 8, {}},
};

const Format* format_named(const std::string& name) {
  const auto* found =
      std::find_if(formats.begin(), formats.end(), [&](const Format& f) { return f.name == name; });
  return found == formats.end() ? nullptr : found;
}

/// Bytes of `shape`, or nothing where that is beyond what a file can hold.
std::optional<std::int64_t> bytes_of(const std::vector<std::int64_t>& shape, std::int64_t bits) {
  constexpr std::int64_t most = std::int64_t{1} << 50;
  std::int64_t elements = 1;
  for (const std::int64_t extent : shape) {
    if (extent < 0 || (extent > 0 && elements > most / extent)) return std::nullopt;
    elements *= extent;
  }
  return elements * bits / 8;
}

struct Range {
  std::int64_t begin = 0, end = 0;
  std::string tensor;
  Location where;
};

/// One entry of the header. data: the first byte behind the header.
void read_entry(const Document::Entry& entry, const char* data, SafetensorsFile& file,
                std::vector<Range>& ranges, Errors& errors) {
  const std::size_t before = errors.size();
  Reader in(entry.value, entry.key, errors);
  const auto dtype = in.required<std::string>("dtype");
  const auto shape = in.list<std::int64_t>("shape");
  const auto offsets = in.list<std::int64_t>("data_offsets");
  in.reject_unknown_keys();
  if (!shape && errors.size() == before) in.error("shape", "missing key \"shape\"");
  if (!offsets && errors.size() == before) in.error("data_offsets", "missing key \"data_offsets\"");
  if (errors.size() != before) return;
  const Format* format = format_named(dtype);
  if (format == nullptr) return in.error("dtype", in_quotes(dtype) + " is not a dtype of safetensors");
  if (offsets->size() != 2 || offsets->at(0) < 0 || offsets->at(1) < offsets->at(0))
    return in.error("data_offsets", "must be [begin, end] with 0 <= begin <= end");
  const std::optional<std::int64_t> bytes = bytes_of(*shape, format->bits);
  const std::int64_t range = offsets->at(1) - offsets->at(0);
  if (bytes != range) {
    return in.error("data_offsets", "span " + std::to_string(range) + " bytes, but " + dtype +
                                        " of this shape takes " +
                                        (bytes ? std::to_string(*bytes) : std::string{"too many"}));
  }
  ranges.push_back({offsets->at(0), offsets->at(1), entry.key, entry.value.where});
  if (format->read_as) {
    file.tensors[entry.key] = {*shape, *format->read_as, data + offsets->at(0)};
  } else {
    file.other_formats[entry.key] = dtype;
  }
}

/// The values lie one after another, from the header's end to the file's.
void check_ranges(std::vector<Range> ranges, std::int64_t bytes, const Location& file, Errors& errors) {
  std::stable_sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  std::int64_t reached = 0;
  for (const Range& r : ranges) {
    if (r.begin != reached) {
      errors.push_back({in_quotes(r.tensor) +
                            (r.begin < reached ? " overlaps the tensor before it"
                                               : " leaves a gap behind the tensor before it") +
                            ": it begins at byte " + std::to_string(r.begin) + ", expected " +
                            std::to_string(reached),
                        r.where});
      return;
    }
    reached = r.end;
  }
  if (reached != bytes) {
    errors.push_back({"the header describes " + std::to_string(reached) +
                          " bytes of values, but the file has " + std::to_string(bytes),
                      file});
  }
}

struct Mapping {
  std::shared_ptr<const char> data;
  std::uint64_t bytes = 0;
};

Result<Mapping> map(const std::filesystem::path& path) {
  const Location where{path.string()};
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return failure("cannot open: " + std::string{std::strerror(errno)}, where);
  struct stat status {};
  const bool regular = ::fstat(file, &status) == 0 && S_ISREG(status.st_mode);
  const auto bytes = static_cast<std::uint64_t>(status.st_size);
  void* address =
      regular && bytes >= prefix_bytes ? ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, file, 0) : MAP_FAILED;
  ::close(file);
  if (!regular) return failure("is not a file", where);
  if (bytes < prefix_bytes)
    return failure("is too short for a safetensors file (8 bytes say how long its header is)", where);
  if (address == MAP_FAILED) return failure("cannot be mapped into memory", where);
  const auto* data = static_cast<const char*>(address);
  return Mapping{{data, [bytes](const char* p) { ::munmap(const_cast<char*>(p), bytes); }}, bytes};
}

}  // namespace

float StoredTensor::at(std::int64_t index) const {
  if (format == StoredAs::f32) {
    float value = 0;
    std::memcpy(&value, data + index * 4, 4);
    return value;
  }
  std::uint16_t bits = 0;
  std::memcpy(&bits, data + index * 2, 2);
  return format == StoredAs::bf16 ? bf16_to_float(bits) : f16_to_float(bits);
}

Result<SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path) {
  Result<Mapping> mapping = map(path);
  if (!mapping) return failure(mapping.error());
  const Location where{path.string()};
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, mapping->data.get(), prefix_bytes);
  const std::uint64_t behind = mapping->bytes - prefix_bytes;
  if (header_bytes > behind) {
    return failure("says that its header has " + std::to_string(header_bytes) + " bytes, but only " +
                       std::to_string(behind) + " follow",
                   where);
  }
  const char* text = mapping->data.get() + prefix_bytes;
  const Result<Document> header = parse_json({text, header_bytes}, path.string());
  if (!header) return failure(header.error());
  if (header->kind != Document::Kind::mapping)
    return failure("the header is not a mapping of names to tensors", header->where);
  SafetensorsFile file;
  file.mapping_ = mapping->data;
  Errors errors;
  std::vector<Range> ranges;
  for (const Document::Entry& entry : header->mapping) {
    if (entry.key != "__metadata__") read_entry(entry, text + header_bytes, file, ranges, errors);
  }
  if (errors.empty())
    check_ranges(std::move(ranges), static_cast<std::int64_t>(behind - header_bytes), where, errors);
  if (!errors.empty()) return failure(std::move(errors));
  return file;
}

}  // namespace inferometer
