#include "scenarios/check_case.hpp"

#include "roofline/support.hpp"

namespace inferometer {
namespace {

Errors check_workload(const Workload& w) {
  Errors errors;
  const auto in_range = [&](std::int64_t value, std::int64_t most, const char* what) {
    if (value >= 1 && value <= most) return;
    errors.push_back(
        {std::string{what} + ": must be 1 to " + std::to_string(most) + ", is " + std::to_string(value)});
  };
  in_range(w.batch, 100'000, "workload.batch");
  in_range(w.prompt_tokens, 10'000'000, "workload.prompt_tokens");
  in_range(w.output_tokens, 1'000'000, "workload.output_tokens");
  return errors;
}

Errors check_network(const Case& c) {
  const Result<Structure> structure = compile(c.model(), c.plan);
  Errors errors = structure ? unsupported(*structure, c.cluster.device) : structure.error();
  if (c.plan.parallel.tensor > c.cluster.count) {
    errors.push_back({"parallel.tensor: needs " + std::to_string(c.plan.parallel.tensor) +
                      " devices, of which there are " + std::to_string(c.cluster.count) +
                      "; set devices: " + std::to_string(c.plan.parallel.tensor)});
  }
  return errors;
}

}  // namespace

Errors check_case(const Case& c, const std::vector<Edit>& edits, const Location& where) {
  Errors errors = check_workload(c.workload);
  for (Error& e : check_network(c)) errors.push_back(std::move(e));
  for (Error& e : errors) {
    e.where = where;
    for (const Edit& edit : edits) {
      if (e.message.starts_with(edit.path + ":")) e.where = edit.where;
    }
  }
  return errors;
}

void take_errors(Errors& errors, Errors more, const Location& where, const std::string& prefix) {
  for (Error& e : more) {
    if (e.where.line == 0 && e.where.file.empty()) {
      e.where = where;
      e.message = prefix + e.message;
    }
    errors.push_back(std::move(e));
  }
}

}  // namespace inferometer
