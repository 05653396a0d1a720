#include "scenarios/tuning_file.hpp"

#include <fmt/format.h>

#include "model/launch.hpp"
#include "model/read_name.hpp"
#include "model/reader.hpp"
#include "model/seeded.hpp"
#include "scenarios/files.hpp"
#include "scenarios/study.hpp"
#include "scenarios/yaml_document.hpp"
#include "scenarios/yaml_text.hpp"

namespace inferometer {
namespace {

namespace fs = std::filesystem;

std::int64_t read_number(Reader& in, std::string_view key, std::int64_t least, std::int64_t most,
                         std::optional<std::int64_t> otherwise = std::nullopt) {
  const std::size_t before = in.errors().size();
  const auto value = otherwise ? in.optional<std::int64_t>(key, *otherwise) : in.required<std::int64_t>(key);
  if (in.errors().size() == before && in.has(key) && (value < least || value > most))
    in.error(key, fmt::format("must be {} to {}, is {}", least, most, value));
  return value;
}

ProductShape read_shape(Reader& in) {
  constexpr std::int64_t most = std::int64_t{1} << 31;
  ProductShape s{.tokens = read_number(in, "tokens", 1, most),
                 .in = read_number(in, "in", 1, most),
                 .out = read_number(in, "out", 1, most),
                 .x = in.required<DType>("x"),
                 .w = in.required<DType>("w"),
                 .y = in.required<DType>("y")};
  s.x_stride = read_number(in, "x_stride", 1, most, s.in);
  s.y_stride = read_number(in, "y_stride", 1, most, s.out);
  return s;
}

ProductChoice read_choice(Reader& in) {
  ProductChoice choice;
  const std::string kernel = in.required<std::string>("kernel");
  const auto known = kernel.empty() ? std::nullopt : name_in<ProductKernel>(in, "kernel", kernel);
  choice.kernel = known.value_or(choice.kernel);
  const bool library = !known || *known == ProductKernel::cublaslt;
  if (library != in.has("algorithm") && known)
    in.error("algorithm", library ? "cublaslt needs one" : kernel + " has none");
  if (auto algorithm = in.maybe_mapping("algorithm")) {
    choice.algorithm.emplace();
    algorithm_fields(*choice.algorithm, [&](std::string_view name, std::int64_t& value) {
      value = read_number(*algorithm, name, 0, (std::int64_t{1} << 32) - 1);
    });
    algorithm->reject_unknown_keys();
  }
  return choice;
}

void read_product(Reader in, Tuning& tuning) {
  const std::size_t before = in.errors().size();
  const ProductShape shape = read_shape(in);
  const TunedProduct product{.choice = read_choice(in),
                             .time = in.required<Seconds>("time"),
                             .default_time = in.required<Seconds>("default_time")};
  in.reject_unknown_keys();
  if (in.errors().size() > before) return;
  if (!tuning.products.emplace(shape, product).second)
    in.error("tokens", "these sizes stand in the file twice");
}

std::string line(const ProductShape& s, const TunedProduct& p) {
  std::string text = fmt::format("  - {{tokens: {}, in: {}, out: {}, x: {}, w: {}, y: {}", s.tokens, s.in,
                                 s.out, name(s.x), name(s.w), name(s.y));
  if (s.x_stride != s.in) text += fmt::format(", x_stride: {}", s.x_stride);
  if (s.y_stride != s.out) text += fmt::format(", y_stride: {}", s.y_stride);
  text += fmt::format(",\n     time: {:.6g} us, default_time: {:.6g} us, kernel: {}", p.time.count() * 1e6,
                      p.default_time.count() * 1e6, name(p.choice.kernel));
  if (!p.choice.algorithm) return text + "}\n";
  std::string numbers;
  algorithm_fields(*p.choice.algorithm, [&](std::string_view name, std::int64_t value) {
    numbers += fmt::format("{}{}: {}", numbers.empty() ? "" : ", ", name, value);
  });
  return text + ",\n     algorithm: {" + numbers + "}}\n";
}

}  // namespace

Result<Tuning> read_tuning(const std::string& text, const fs::path& file) {
  const Result<Document> document = parse_yaml(text, file.string());
  if (!document) return failure(document.error());
  Errors errors;
  Reader in(*document, "", errors);
  Tuning tuning{.gpu = in.required<std::string>("gpu"),
                .driver = in.required<std::string>("driver"),
                .cublaslt = in.required<std::string>("cublaslt"),
                .date = in.required<std::string>("date"),
                .products = {},
                .source = fmt::format("{} (hash {:016x})", file.string(), tensor_key(0, text))};
  const bool missing = !in.has("products");
  const Document* list = in.raw("products");
  if (missing || list->kind != Document::Kind::sequence) {
    in.error("products", "a list is needed");
  } else {
    for (std::size_t i = 0; i < list->sequence.size(); ++i)
      read_product(Reader(list->sequence[i], fmt::format("products[{}]", i), errors), tuning);
  }
  in.reject_unknown_keys();
  if (!errors.empty()) return failure(std::move(errors));
  return tuning;
}

std::string print_tuning(const Tuning& t) {
  std::string text = fmt::format(
      "# Written by `inferometer tune`: products for which something is faster than the default choice.\n"
      "# Algorithms mean something to this version of cuBLASLt only.\n"
      "gpu: {}\ndriver: {}\ncublaslt: {}\ndate: {}\nproducts:{}\n",
      yaml_quoted(t.gpu), yaml_quoted(t.driver), yaml_quoted(t.cublaslt), yaml_quoted(t.date),
      t.products.empty() ? " []" : "");
  for (const auto& [shape, product] : t.products) text += line(shape, product);
  return text;
}

fs::path tuning_file(const std::string& named, const std::string& backend, const Library& library) {
  if (!named.empty()) return named;
  std::string name = "tuning-" + backend + ".yaml";
  std::erase(name, ':');
  return library.calibration / name;
}

Result<Tuning> find_tuning(const Scenario& scenario, const Library& library) {
  std::error_code ignored;
  const fs::path file = tuning_file(scenario.tuning, scenario.backend, library);
  const bool cuda = scenario.backend.starts_with("cuda:");
  if (!cuda || file == "none" || (scenario.tuning.empty() && !fs::exists(file, ignored))) return Tuning{};
  const Result<std::string> text = read_file(file);
  if (!text) return failure(text.error().front().message + "; `inferometer tune` writes it");
  return read_tuning(*text, file);
}

Result<std::map<ProductShape, bool>> product_shapes(const Scenario& scenario) {
  std::map<ProductShape, bool> shapes;
  for (const Variant& run : runs_of(scenario)) {
    const Case& c = run.edited;
    const Result<Structure> structure = compile(c.model(), c.plan);
    if (!structure) return failure(structure.error());
    std::set<std::pair<std::int64_t, bool>> seen;
    for (const Step& step : workload_steps(c)) {
      const Features f = padded(features(step), c.plan);
      if (!seen.insert({f.tokens, decodes(f)}).second) continue;
      for (const ProductShape& shape : product_shapes(*structure, f)) shapes[shape] |= c.plan.launch.overlap;
    }
  }
  return shapes;
}

}  // namespace inferometer
