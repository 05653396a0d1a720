// What numbers of splits of decode attention, and of blocks that a multiprocessor runs at once, make of whole
// steps, beside what is chosen (model/decode_splits.hpp).
//
//   gpu_decode_choices MODEL FORMAT CONTEXT BATCH...     such as: llama-3.1-8b bf16 512 1 2 4
#include <fmt/format.h>

#include <bit>
#include <cstdlib>

#include "scenarios/scenario.hpp"
#include "tests/bench/gpu_step.hpp"

namespace inferometer {
namespace {

std::string to_text(const DecodeChoice& choice) {
  if (choice.fresh == FreshKernel::octets) return fmt::format("octets, {} splits", choice.splits);
  return fmt::format("tiles, {} splits, {} resident", choice.splits, choice.resident);
}

/// In as many splits as leave each a few tiles of keys: 1, 2, 3, 4, 6, 8, 12 and so on.
std::vector<DecodeChoice> choices_of(const DecodeLoad& load, std::int64_t processors) {
  std::vector<DecodeChoice> all;
  for (std::int32_t splits = 1; splits == 1 || (splits <= most_decode_splits && splits * 32 <= load.longest);
       splits += std::max(1, static_cast<std::int32_t>(std::bit_floor(static_cast<unsigned>(splits)) / 2))) {
    if (octets_fit(load) && splits * load.pairs <= processors) all.push_back({FreshKernel::octets, splits});
    for (std::int32_t resident = 1; resident <= 2; ++resident) {
      if (splits * load.pairs <= 2 * processors * resident)
        all.push_back({FreshKernel::tiles, splits, resident});
    }
  }
  return all;
}

Done choices(const std::string& name, const StepKind& kind, const cuda::Gpu& gpu) {
  const Library library{.root = INFEROMETER_SOURCE "/scenarios", .calibration = {}};
  const auto device = load_device("h200-sxm", library);
  if (!device) return failure(device.error());
  const auto model = load_model(name, library);
  if (!model) return failure(model.error());
  const Case c = case_of(kind, *model, *device);
  const DecodeLoad load{.pairs = kind.batch * model->kv_heads,
                        .longest = kind.context,
                        .mean = kind.context,
                        .key_bytes = 4 * model->head_dim,
                        .head_dim = model->head_dim,
                        .group = model->heads / model->kv_heads};
  const DecodeSlots slots{gpu.processors, resident_decode_blocks(load.head_dim)};
  const DecodeChoice chosen = choose_decode(load, slots, octets_fit(load));
  const auto print = [&](const std::optional<DecodeChoice>& choice) -> Done {
    const auto timed = time_step(kind, c, {.decode = choice});
    if (!timed) return failure(timed.error());
    fmt::print("{} {} {} x {}: {:8.4f} ms ({:.4f} - {:.4f})  {}\n", name, kind.format, kind.batch,
               kind.context, timed->median * 1e3, timed->low * 1e3, timed->high * 1e3,
               choice ? to_text(*choice) : "chosen: " + to_text(chosen));
    std::fflush(stdout);
    return std::monostate{};
  };
  if (const Done done = print(std::nullopt); !done) return done;
  for (const DecodeChoice& choice : choices_of(load, gpu.processors)) {
    if (const Done done = print(choice); !done) return done;
  }
  return std::monostate{};
}

int all_choices(int argc, char** argv) {
  if (argc < 5) return fmt::print(stderr, "gpu_decode_choices MODEL FORMAT CONTEXT BATCH...\n"), 2;
  const auto gpu = cuda::find_gpu(0);
  if (!gpu) return fmt::print(stderr, "{}", to_string(gpu.error())), 1;
  for (int i = 4; i < argc; ++i) {
    const StepKind kind{argv[2], "decode", std::atoll(argv[i]), std::atoll(argv[3])};
    if (const Done done = choices(argv[1], kind, *gpu); !done)
      return fmt::print(stderr, "{}", to_string(done.error())), 1;
  }
  return 0;
}

}  // namespace
}  // namespace inferometer

int main(int argc, char** argv) { return inferometer::all_choices(argc, argv); }
