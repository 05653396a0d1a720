#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/edges.hpp"
#include "scenarios/files.hpp"
#include "scenarios/tuning_file.hpp"
#ifdef INFEROMETER_HAS_CUDA_BACKEND
#include "executor/cuda/cublaslt.hpp"
#include "executor/cuda/tune.hpp"
#endif

namespace inferometer {
namespace {

#ifdef INFEROMETER_HAS_CUDA_BACKEND
using cuda::Trial;

/// One product that was tried, or why it was not.
struct Row {
  ProductShape shape;
  Result<Trial> trial;
};

std::vector<Row> try_all(const std::map<ProductShape, bool>& shapes, const cuda::Gpu& gpu) {
  const Progress progress = terminal_progress("tune");
  std::vector<Row> rows;
  for (const auto& [shape, overlap] : shapes) {
    progress(to_string(shape), static_cast<double>(rows.size()) / static_cast<double>(shapes.size()));
    rows.push_back({shape, cuda::tune_product(shape, gpu, {.overlap = overlap})});
  }
  progress("", 1.0);
  return rows;
}

/// What stood in the file for other shapes stays, where it was made on the same GPU by the same cuBLASLt; it
/// is told what does not.   errors: a file that is no tuning file, which nobody wants to lose
Result<Tuning> earlier(const std::filesystem::path& file, const cuda::Gpu& gpu) {
  Tuning made{.gpu = gpu.name,
              .driver = cuda::cuda_version(gpu.driver),
              .cublaslt = cuda::CublasLt::version(),
              .date = provenance().date};
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return made;
  const Result<std::string> text = read_file(file);
  if (!text) return failure(text.error());
  Result<Tuning> before = read_tuning(*text, file);
  if (!before) return failure(before.error());
  if (before->gpu == made.gpu && before->cublaslt == made.cublaslt) {
    made.products = std::move(before->products);
  } else {
    fmt::print(stderr, "{}: {} products tuned on \"{}\" with cuBLASLt {} are replaced\n", file.string(),
               before->products.size(), before->gpu, before->cublaslt);
  }
  return made;
}

void add(Tuning& tuning, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    if (!row.trial) continue;
    tuning.products.erase(row.shape);
    if (row.trial->better) tuning.products.emplace(row.shape, row.trial->best);
  }
}

double us(Seconds t) { return t.count() * 1e6; }

std::string table_of(const std::vector<Row>& rows) {
  std::string text =
      fmt::format("{:>7} {:>7} {:>7} {:<15} {:>5} {:>10} {:<10} {:>10} {:>7}  {}\n", "tokens", "in", "out",
                  "x, w, y", "tried", "default us", "default", "best us", "gain", "best");
  for (const Row& row : rows) {
    const ProductShape& s = row.shape;
    text += fmt::format("{:>7} {:>7} {:>7} {:<15} ", s.tokens, s.in, s.out,
                        fmt::format("{}, {}, {}", name(s.x), name(s.w), name(s.y)));
    if (!row.trial) {
      text += "not tuned: " + row.trial.error().front().message + "\n";
      continue;
    }
    const Trial& t = *row.trial;
    text += fmt::format("{:>5} {:>10.2f} {:<10} {:>10.2f} {:>5.1f} %  {}\n", t.candidates,
                        us(t.best.default_time), name(t.usual.kernel), us(t.best.time),
                        100 * (t.best.default_time / t.best.time - 1),
                        t.better ? to_string(t.best.choice) : "the default is as fast");
  }
  return text;
}

std::string json_of(const std::vector<Row>& rows, const Tuning& tuning, const std::filesystem::path& file) {
  nlohmann::ordered_json products = nlohmann::ordered_json::array();
  for (const Row& row : rows) {
    const ProductShape& s = row.shape;
    nlohmann::ordered_json one{
        {"tokens", s.tokens}, {"in", s.in},     {"out", s.out},           {"x", name(s.x)},
        {"w", name(s.w)},     {"y", name(s.y)}, {"x_stride", s.x_stride}, {"y_stride", s.y_stride}};
    if (!row.trial) {
      one["not_tuned"] = row.trial.error().front().message;
    } else {
      const Trial& t = *row.trial;
      one["candidates"] = t.candidates;
      one["default"] = to_string(t.usual);
      one["default_s"] = t.best.default_time.count();
      one["best"] = to_string(t.best.choice);
      one["best_s"] = t.best.time.count();
      one["written"] = t.better;
    }
    products.push_back(std::move(one));
  }
  const nlohmann::ordered_json json{{"gpu", tuning.gpu},           {"driver", tuning.driver},
                                    {"cublaslt", tuning.cublaslt}, {"date", tuning.date},
                                    {"file", file.string()},       {"products", std::move(products)}};
  return json.dump(2) + "\n";
}
#endif

}  // namespace

int tune_command([[maybe_unused]] const Context& context, const TuneOptions& options) {
  const std::optional<int> device = cuda_device(options.backend);
  if (!device) return tell({{"--backend " + options.backend + ": only cuda:N can be tuned"}}, wrong_input);
  const Result<Scenario> scenario = load_scenario(options.scenario, context.library);
  if (!scenario) return tell(scenario.error(), wrong_input);
  const auto shapes = product_shapes(*scenario);
  if (!shapes) return tell(shapes.error(), wrong_input);
#ifdef INFEROMETER_HAS_CUDA_BACKEND
  const Result<cuda::Gpu> gpu = cuda::find_gpu(*device);
  if (!gpu) return tell(gpu.error(), failed);
  const std::string named =
      options.out.empty() && scenario->tuning != "none" ? scenario->tuning : options.out;
  const std::filesystem::path file = tuning_file(named, options.backend, context.library);
  Result<Tuning> tuning = earlier(file, *gpu);
  if (!tuning) return tell(tuning.error(), wrong_input);
  const std::vector<Row> rows = try_all(*shapes, *gpu);
  add(*tuning, rows);
  if (const Done written = write_file(file, print_tuning(*tuning)); !written)
    return tell(written.error(), failed);
  fmt::print("{}", context.json ? json_of(rows, *tuning, file) : table_of(rows));
  const auto count = [&](auto holds) { return std::count_if(rows.begin(), rows.end(), holds); };
  fmt::print(stderr, "{} of {} products have a faster choice than the default one; written to {}\n",
             count([](const Row& r) { return r.trial && r.trial->better; }), rows.size(), file.string());
  return count([](const Row& r) { return !r.trial; }) > 0 ? failed : done;
#else
  return tell({{"no CUDA device: this build has no CUDA backend"}}, failed);
#endif
}

}  // namespace inferometer
