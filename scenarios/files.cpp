#include "scenarios/files.hpp"

#include <cstdlib>
#include <fstream>

namespace inferometer {

namespace fs = std::filesystem;

Result<std::string> read_file(const fs::path& file, const Location& where) {
  std::error_code error;
  if (!fs::exists(file, error)) return failure("no such file: " + file.string(), where);
  if (!fs::is_regular_file(file, error)) return failure("not a file: " + file.string(), where);
  std::ifstream in(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in) return failure("cannot read " + file.string(), where);
  return text;
}

Done write_file(const fs::path& file, const std::string& text) {
  std::error_code error;
  if (file.has_parent_path()) fs::create_directories(file.parent_path(), error);
  std::ofstream out(file, std::ios::binary);
  out << text;
  out.close();
  if (!out) return failure("cannot write " + file.string());
  return std::monostate{};
}

Result<std::vector<std::filesystem::path>> write_files(
    const std::vector<std::pair<std::filesystem::path, std::string>>& files) {
  std::vector<std::filesystem::path> written;
  for (const auto& [file, text] : files) {
    if (const Done done = write_file(file, text); !done) return failure(done.error());
    written.push_back(file);
  }
  return written;
}

std::filesystem::path data_path(const std::string& name, const std::filesystem::path& folder) {
  constexpr std::string_view prefix = "$INFEROMETER_DATA/";
  if (!name.starts_with(prefix)) return folder / name;
  const char* data = std::getenv("INFEROMETER_DATA");
  return data == nullptr ? std::filesystem::path{name}
                         : std::filesystem::path{data} / name.substr(prefix.size());
}

}  // namespace inferometer
