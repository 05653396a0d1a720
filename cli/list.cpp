#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/catalogue.hpp"
#include "cli/edges.hpp"
#include "model/reader.hpp"

namespace inferometer {

int list_command(const Context& context, const std::string& what) {
  const std::vector<std::string> names = catalogue_names();
  if (std::find(names.begin(), names.end(), what) == names.end()) {
    const std::string near = nearest(what, names);
    return tell({{"list " + what + ": expected one of " + fmt::format("{}", fmt::join(names, ", ")) +
                  (near.empty() ? "" : "; did you mean " + near + "?")}},
                wrong_input);
  }
  const Result<Catalogue> all = catalogue(context, what);
  if (!all) return tell(all.error(), failed);
  if (context.json) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const Entry& e : all->entries) {
      nlohmann::ordered_json row{{"name", e.name}, {"summary", e.summary}};
      for (const auto& [key, value] : e.details) row[key] = value;
      rows.push_back(std::move(row));
    }
    fmt::print("{}\n", rows.dump(2));
    return done;
  }
  std::size_t width = 0;
  for (const Entry& e : all->entries) width = std::max(width, e.name.size());
  for (const Entry& e : all->entries) fmt::print("{:<{}}  {}\n", e.name, width, e.summary);
  return done;
}

}  // namespace inferometer
