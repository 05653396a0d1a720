#pragma once
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "model/result.hpp"

namespace inferometer {

/// The whole text of a file; an error that names it where it cannot be read. where: what asked for it.
[[nodiscard]] Result<std::string> read_file(const std::filesystem::path& file, const Location& where = {});
/// Writes a file and the folders above it.
[[nodiscard]] Done write_file(const std::filesystem::path& file, const std::string& text);
/// Writes files with their texts, in order. returns  the files; errors: the first that could not be written
[[nodiscard]] Result<std::vector<std::filesystem::path>> write_files(
    const std::vector<std::pair<std::filesystem::path, std::string>>& files);

/// A file or folder that a scenario in `folder` names: an absolute path, one from there on, or
/// $INFEROMETER_DATA/..., which without that variable is left as it is, and does not exist.
std::filesystem::path data_path(const std::string& name, const std::filesystem::path& folder);

}  // namespace inferometer
