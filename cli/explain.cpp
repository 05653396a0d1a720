#include <fmt/format.h>

#include "cli/catalogue.hpp"
#include "cli/edges.hpp"
#include "model/reader.hpp"

namespace inferometer {

int explain_command(const Context& context, const std::string& name) {
  std::vector<std::string> known;
  bool found = false;
  for (const std::string& kind : catalogue_names()) {
    const Result<Catalogue> all = catalogue(context, kind);
    if (!all) return tell(all.error(), failed);
    for (const Entry& e : all->entries) {
      known.push_back(e.name);
      if (e.name != name) continue;
      fmt::print("{}{} ({})\n", found ? "\n" : "", e.name, all->kind);
      for (const auto& [key, value] : e.details) fmt::print("  {:<30} {}\n", key, value);
      found = true;
    }
  }
  if (found) return done;
  std::string near = nearest(name, known);
  for (const std::string& k : known) {
    if (near.empty() && name.size() > 2 && k.find(name) != std::string::npos) near = k;
  }
  return tell({{"nothing is called \"" + name + "\"" +
                (near.empty() ? "; see `inferometer list`" : "; did you mean \"" + near + "\"?")}},
              wrong_input);
}

}  // namespace inferometer
