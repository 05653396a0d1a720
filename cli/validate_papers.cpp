#include <fmt/format.h>

#include "cli/edges.hpp"
#include "papers/load_paper.hpp"
#include "reports/papers_report.hpp"
#include "scenarios/files.hpp"

namespace inferometer {

int validate_papers_command(const Context& context, const ValidatePapersOptions& options) {
  Errors errors;
  std::vector<PaperLimit> limits;
  if (!options.require.empty()) {
    const Result<std::string> text = read_file(options.require);
    if (!text) return tell(text.error(), wrong_input);
    Result<std::vector<PaperLimit>> read = read_paper_limits(*text, options.require);
    if (!read) return tell(read.error(), wrong_input);
    limits = std::move(*read);
  }
  std::vector<Paper> papers;
  for (const std::string& name : options.papers.empty() ? list_papers(context.library) : options.papers) {
    Result<Paper> paper = load_paper(name, context.library);
    if (paper) {
      papers.push_back(std::move(*paper));
    } else {
      errors.insert(errors.end(), paper.error().begin(), paper.error().end());
    }
  }
  if (!errors.empty()) return tell(errors, wrong_input);
  fmt::print("{}", context.json ? papers_json(papers) : papers_table(papers));
  errors = unmet(papers, limits);
  return errors.empty() ? done : tell(errors, failed);
}

}  // namespace inferometer
