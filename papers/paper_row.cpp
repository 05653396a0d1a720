#include "papers/paper_row.hpp"

namespace inferometer {
namespace {

Published read_published(Reader& in) {
  const Document* value = in.raw("published");
  if (value == nullptr || value->kind != Document::Kind::sequence) {
    const std::size_t before = in.errors().size();
    const double figure = in.required<double>("published");
    if (in.errors().size() == before && !(figure > 0)) in.error("published", "must be positive");
    return {figure, figure};
  }
  const auto ends = in.list<double>("published");
  if (!ends) return {};
  if (ends->size() != 2 || !((*ends)[0] > 0) || !((*ends)[0] < (*ends)[1])) {
    in.error("published", "a range is two positive numbers, the lower first");
    return {};
  }
  return {(*ends)[0], (*ends)[1]};
}

}  // namespace

PaperRow read_paper_row(Reader& in) {
  PaperRow row{.label = "",
               .unit = "",
               .published = read_published(in),
               .predicted = 0,
               .scored = in.optional<bool>("scored", true),
               .note = in.optional<std::string>("note", "")};
  if (!row.scored && row.note.empty()) in.error("scored", "note: must say why this row is not scored");
  return row;
}

std::int64_t read_count(Reader& in, std::string_view key) {
  const std::size_t before = in.errors().size();
  const std::int64_t value = in.required<std::int64_t>(key);
  constexpr std::int64_t most = 1 << 24;
  if (in.errors().size() == before && (value < 1 || value > most))
    in.error(key, "must be 1 to " + std::to_string(most));
  return in.errors().size() == before ? value : 1;
}

std::vector<Reader> read_rows(Reader& in, std::string_view key) {
  std::vector<Reader> rows;
  const Document* list = in.raw(key);
  if (list == nullptr || list->kind != Document::Kind::sequence || list->sequence.empty()) {
    in.error(key, "a list of rows is needed");
    return rows;
  }
  for (std::size_t i = 0; i < list->sequence.size(); ++i)
    rows.emplace_back(list->sequence[i], std::string{key} + "[" + std::to_string(i) + "]", in.errors());
  return rows;
}

}  // namespace inferometer
