#include <algorithm>

#include "model/hf_reading.hpp"

namespace inferometer {
namespace {

/// The size of the window, 0 where there is none. Absent and null differ: absent takes the class's size.
std::int64_t read_window(Reader& in, const HfFamily& family) {
  if (!given(in, "sliding_window")) return in.has("sliding_window") ? 0 : family.window;
  return read_size(in, "sliding_window", {.most = hf_most::positions});
}

/// layer_types, where it stands: which layers have a window.
std::optional<std::vector<bool>> read_layer_types(Reader& in, std::int64_t layers) {
  if (!given(in, "layer_types")) return std::nullopt;
  const std::size_t told = in.errors().size();
  const auto types = in.list<std::string>("layer_types");
  if (in.errors().size() > told) return std::nullopt;
  std::vector<bool> windowed;
  for (std::size_t i = 0; i < types->size(); ++i) {
    const std::string& type = (*types)[i];
    windowed.push_back(type == "sliding_attention");
    if (windowed.back() || type == "full_attention") continue;
    in.errors().push_back({"layer_types[" + std::to_string(i) + "]: \"" + type +
                               "\" is not understood; expected full_attention or sliding_attention",
                           in.raw("layer_types")->sequence[i].where});
  }
  if (windowed.size() != static_cast<std::size_t>(layers)) {
    in.error("layer_types",
             "has " + std::to_string(windowed.size()) + " entries for " + std::to_string(layers) + " layers");
    windowed.resize(static_cast<std::size_t>(layers));
  }
  return windowed;
}

}  // namespace

void read_windows(Reader& in, const HfFamily& family, Architecture& a) {
  const auto layers = static_cast<std::size_t>(a.layers);
  if (family.windows == HfWindows::none) {
    if (given(in, "sliding_window"))
      in.error("sliding_window", std::string{family.name} + " has no sliding window");
    return;
  }
  a.window = read_window(in, family);
  const bool qwen = family.windows == HfWindows::by_layer || family.windows == HfWindows::switched;
  const bool used = !qwen || in.optional<bool>("use_sliding_window", false);
  // Qwen3-MoE's files have max_window_layers, and its forward pass does not read it.
  const std::int64_t from =
      qwen ? read_size(in, "max_window_layers", {.most = hf_most::layers, .otherwise = 28, .least = 0}) : 0;
  const bool listed = family.windows == HfWindows::by_layer || family.windows == HfWindows::alternating;
  const auto types = listed ? read_layer_types(in, a.layers) : std::nullopt;
  for (std::size_t l = 0; l < layers; ++l) {
    const bool by_default = family.windows == HfWindows::alternating ? l % 2 == 0
                            : family.windows == HfWindows::by_layer
                                ? used && a.window > 0 && static_cast<std::int64_t>(l) >= from
                                : used && a.window > 0;
    a.windowed_layer.push_back(types ? (*types)[l] : by_default);
  }
  if (std::find(a.windowed_layer.begin(), a.windowed_layer.end(), true) == a.windowed_layer.end()) {
    a.windowed_layer.clear();
    a.window = 0;
  } else if (!used) {
    in.error("layer_types", "has sliding_attention, and use_sliding_window is not true");
  } else if (a.window == 0) {
    in.error("sliding_window", "is empty, and there are layers of sliding attention");
  }
}

}  // namespace inferometer
