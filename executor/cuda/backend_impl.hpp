#pragma once
#include <map>
#include <memory>
#include <tuple>

#include "executor/cuda/copy_stream.hpp"
#include "executor/cuda/cuda_backend.hpp"
#include "executor/cuda/launch_node.hpp"
#include "executor/cuda/recorded_graph.hpp"
#include "executor/cuda/stream.hpp"
#include "executor/weights/rope_table.hpp"

namespace inferometer {

/// What it holds, and what of a step is done where: memory in backend_memory.cpp, launches in
/// backend_step.cpp.
struct CudaBackend::Impl {
  /// A step with everything that its launch needs. What pads it writes to a block of the cache that no
  /// sequence has.
  struct Ready {
    std::unique_ptr<Step> step;
    Pass pass;
    std::int64_t rows = 0;  ///< of logits that somebody asked for
    DecodeChoice decode;
    bool recorded = false;
  };

  CudaOptions options;
  cuda::Gpu gpu;
  cuda::Stream stream;
  cuda::Event start, end;
  cuda::CublasLt products;
  std::unique_ptr<cuda::PromptAttention> prompts;  ///< once a plan has asked for cuDNN's attention

  Plan plan;
  Structure structure;
  Rope rope_scaling;
  std::int64_t vocab = 0, group = 1, kv_heads = 1, rotary = 0;
  cuda::Constants constants;
  cuda::CachedState state;
  cuda::DeviceInputs inputs;
  cuda::Scratch scratch;
  cuda::ExpertScratch experts;
  cuda::InputScales scales;
  cuda::CopyStream copies;
  Nanoseconds copied{0};  ///< beside the last step
  cuda::DeviceBuffer arena, rope;
  std::int64_t rope_positions = 0;
  /// By sequences, rows of logits and how attention is split: all else that launches depend on is on the
  /// device.
  std::map<std::tuple<std::int64_t, std::int64_t, DecodeChoice>, cuda::RecordedGraph> graphs;
  NodeObserver* observer = nullptr;
  Output output;
  bool keep_logits = false;

  void release();
  Done load(const Case& c, const MemoryUse& planned);
  Done make_room_for_experts(std::int64_t tokens);
  Done check(const Step& step) const;
  Done reserve(const Ready& ready);
  Result<Ready> ready(const Step& step);
  Done enqueue(const Ready& ready);
  Done begin_copy(const CopyBeside& copy);
  Result<Nanoseconds> copy_alone(const CopyBeside& copy);
  Result<Nanoseconds> execute(const Ready& ready);
  Done collect_output(const Ready& ready);
};

}  // namespace inferometer
