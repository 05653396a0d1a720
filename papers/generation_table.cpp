#include "papers/generation_table.hpp"

#include <fmt/format.h>

#include <map>

#include "papers/engine.hpp"
#include "papers/paper_row.hpp"

namespace inferometer {

enum class GenerationQuantity : std::uint8_t {
  tokens,
  decode_tokens,
  first_token,
  token,
  speed_up,
  bandwidth
};
template <>
struct Names<GenerationQuantity> {
  static constexpr std::array list{
      std::pair{GenerationQuantity::tokens, std::string_view{"tokens/s"}},
      std::pair{GenerationQuantity::decode_tokens, std::string_view{"decode/s"}},
      std::pair{GenerationQuantity::first_token, std::string_view{"first-token"}},
      std::pair{GenerationQuantity::token, std::string_view{"token"}},
      std::pair{GenerationQuantity::speed_up, std::string_view{"speed-up"}},
      std::pair{GenerationQuantity::bandwidth, std::string_view{"bandwidth"}}};
};

namespace {

using Engines = std::map<std::string, PublishedEngine>;

struct Load {
  std::int64_t batch = 1, prompt = 1, output = 2;
};

std::string_view unit_of(GenerationQuantity q) {
  switch (q) {
    case GenerationQuantity::tokens:
    case GenerationQuantity::decode_tokens:
      return "tokens/s";
    case GenerationQuantity::first_token:
    case GenerationQuantity::token:
      return "ms";
    case GenerationQuantity::speed_up:
      return "x";
    case GenerationQuantity::bandwidth:
      return "%";
  }
  return "";
}

double bandwidth_share(PublishedEngine& engine, const Load& l) {
  const Features middle = equal_sequences(l.batch, 1, l.prompt + l.output / 2);
  double bytes = 0;
  for (const Estimate& e : engine.prediction(middle).nodes) bytes += static_cast<double>(e.compulsory.value);
  return bytes / engine.time(middle).count() / engine.settings().cluster.device.memory_bandwidth.value.value;
}

double predicted(GenerationQuantity q, PublishedEngine& engine, PublishedEngine& over, const Load& l) {
  const auto prefill = [&] { return engine.time(equal_sequences(l.batch, l.prompt, 0)).count(); };
  const auto decode = [](PublishedEngine& e, const Load& of) {
    return e.decode_step(of.batch, of.prompt, of.output).count();
  };
  const double made = static_cast<double>(l.batch) / static_cast<double>(engine.settings().cluster.count);
  switch (q) {
    case GenerationQuantity::tokens: {
      const double out = static_cast<double>(l.output);
      return made * out / (prefill() + (out - 1) * decode(engine, l));
    }
    case GenerationQuantity::decode_tokens:
      return made / decode(engine, l);
    case GenerationQuantity::first_token:
      return 1e3 * prefill();
    case GenerationQuantity::token:
      return 1e3 * decode(engine, l);
    case GenerationQuantity::speed_up:
      return decode(over, l) / decode(engine, l);
    case GenerationQuantity::bandwidth:
      return 100 * bandwidth_share(engine, l);
  }
  return 0;
}

PublishedEngine* engine_named(Reader& in, std::string_view key, Engines& engines) {
  const auto called = in.required<std::string>(key);
  const auto it = engines.find(called);
  if (it == engines.end() && !called.empty()) in.error(key, "\"" + called + "\" is not under engines:");
  return it == engines.end() ? nullptr : &it->second;
}

PaperRow read_row(Reader in, Engines& engines) {
  const std::size_t before = in.errors().size();
  const auto q = read_name<GenerationQuantity>(in, "quantity");
  PublishedEngine* engine = engine_named(in, "engine", engines);
  PublishedEngine* over = q == GenerationQuantity::speed_up ? engine_named(in, "over", engines) : engine;
  Load l{.batch = read_count(in, "batch"), .prompt = read_count(in, "prompt")};
  // The first token is there before any is decoded.
  if (q != GenerationQuantity::first_token) {
    l.output = read_count(in, "output");
    if (in.errors().size() == before && l.output < 2) in.error("output", "must be at least 2");
  }
  PaperRow row = read_paper_row(in);
  row.unit = unit_of(q);
  row.label = in.optional<std::string>(
      "label",
      fmt::format("{}, {}, batch {}, {} in{}", name(q), in.optional<std::string>("engine", ""), l.batch,
                  l.prompt, q == GenerationQuantity::first_token ? "" : fmt::format(", {} out", l.output)));
  in.reject_unknown_keys();
  if (in.errors().size() == before) row.predicted = predicted(q, *engine, *over, l);
  return row;
}

}  // namespace

std::vector<PaperRow> generation_rows(Reader& in, const DeviceFile& device, const Library& library) {
  const std::size_t before = in.errors().size();
  Engines engines;
  Reader named = in.required_mapping("engines");
  for (const std::string& key : named.keys()) {
    if (auto engine = read_engine(named.required_mapping(key), device, library))
      engines.emplace(key, std::move(*engine));
  }
  std::vector<PaperRow> rows;
  // Rows would say again that an engine with mistakes is not there.
  std::vector<Reader> listed = read_rows(in, "rows");
  if (in.errors().size() > before) return rows;
  for (Reader& row : listed) rows.push_back(read_row(row, engines));
  return rows;
}

}  // namespace inferometer
