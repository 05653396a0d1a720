#include "papers/load_paper.hpp"

#include <algorithm>

#include "papers/generation_table.hpp"
#include "papers/kernel_table.hpp"
#include "papers/paper_row.hpp"
#include "papers/weight_only_table.hpp"
#include "scenarios/check_case.hpp"
#include "scenarios/files.hpp"
#include "scenarios/yaml_document.hpp"

namespace inferometer {

enum class PaperKind : std::uint8_t { generation, weight_only, kernels };
template <>
struct Names<PaperKind> {
  static constexpr std::array list{std::pair{PaperKind::generation, std::string_view{"generation"}},
                                   std::pair{PaperKind::weight_only, std::string_view{"weight-only"}},
                                   std::pair{PaperKind::kernels, std::string_view{"kernels"}}};
};

namespace {

std::filesystem::path folder_of(const Library& library) { return library.root / "papers"; }

Result<std::filesystem::path> file_of(const std::string& name, const Library& library) {
  const std::vector<std::string> known = list_papers(library);
  if (std::find(known.begin(), known.end(), name) != known.end())
    return folder_of(library) / (name + ".yaml");
  if (name.ends_with(".yaml")) return std::filesystem::path{name};
  const std::string near = nearest(name, known);
  std::string all;
  for (const std::string& k : known) all += (all.empty() ? "" : ", ") + k;
  return failure("unknown paper \"" + name + "\"" + (near.empty() ? "" : "; did you mean \"" + near + "\"?") +
                 " (" + all + ")");
}

}  // namespace

std::vector<std::string> list_papers(const Library& library) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder_of(library), error)) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<Paper> load_paper(const std::string& name, const Library& library) {
  const Result<std::filesystem::path> file = file_of(name, library);
  if (!file) return failure(file.error());
  const Result<std::string> text = read_file(*file);
  if (!text) return failure(text.error());
  const Result<Document> document = parse_yaml(*text, file->string());
  if (!document) return failure(document.error());
  Errors errors;
  Reader in(*document, "", errors);
  Paper paper;
  paper.name = in.required<std::string>("name");
  paper.source = in.required<std::string>("source");
  paper.settings = in.required<std::string>("settings");
  paper.device = in.required<std::string>("device");
  if (!paper.name.empty() && paper.name != file->stem())
    in.error("name", "the file is called \"" + file->stem().string() + "\"");
  const auto kind = read_name<PaperKind>(in, "kind");
  Result<DeviceFile> device = find_device(paper.device, library);
  if (!paper.device.empty() && !device) {
    const Document* place = in.raw("device");
    take_errors(errors, device.error(), place != nullptr ? place->where : in.where(), "device: ");
  }
  if (!errors.empty()) return failure(std::move(errors));
  switch (kind) {
    case PaperKind::generation:
      paper.rows = generation_rows(in, *device, library);
      break;
    case PaperKind::weight_only:
      paper.rows = weight_only_rows(in, *device, library, paper.fitted);
      break;
    case PaperKind::kernels:
      paper.rows = kernel_rows(in, *device, library);
      break;
  }
  in.reject_unknown_keys();
  if (!errors.empty()) return failure(std::move(errors));
  return paper;
}

}  // namespace inferometer
