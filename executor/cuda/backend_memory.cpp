#include <algorithm>
#include <optional>

#include "executor/cuda/backend_impl.hpp"
#include "executor/weights/checkpoint.hpp"

namespace inferometer {

using cuda::checked;
using cuda::DeviceBuffer;

namespace {

Done assign(DeviceBuffer& buffer, Result<DeviceBuffer> made) {
  if (!made) return failure(made.error());
  buffer = std::move(*made);
  return std::monostate{};
}

}  // namespace

/// What the last case held is given back first: the new one is planned against all of the memory.
void CudaBackend::Impl::release() {
  graphs.clear();
  constants = {};
  state = {};
  inputs = {};
  scratch = {};
  experts = {};
  scales = {};
  copies = {};
  arena = {};
  rope = {};
  rope_positions = 0;
}

Done CudaBackend::Impl::load(const Case& c, const MemoryUse& planned) {
  std::optional<Checkpoint> checkpoint;
  if (!options.weights.empty()) {
    Result<Checkpoint> opened = Checkpoint::open(options.weights);
    if (!opened) return failure(opened.error());
    checkpoint = std::move(*opened);
  }
  auto loaded = cuda::load_constants(structure, checkpoint ? &*checkpoint : nullptr, c.draws.seed, gpu);
  if (!loaded) return failure(loaded.error());
  constants = std::move(*loaded);
  const std::int64_t block = c.plan.kv.block_tokens;
  const std::int64_t tokens = c.workload.prompt_tokens + c.workload.output_tokens;
  auto cache = cuda::CachedState::of(structure, c.workload.batch * ((tokens + block - 1) / block), block);
  if (!cache) return failure(cache.error());
  state = std::move(*cache);
  if (plan.kernels.attention == AttentionKernel::cudnn && !prompts) {
    auto opened = cuda::open_cudnn();
    if (!opened) return failure(opened.error());
    prompts = std::move(*opened);
  }
  auto room = cuda::InputScales::of(structure);
  if (!room) return failure(room.error());
  scales = std::move(*room);
  if (const Done done = assign(arena, DeviceBuffer::of(planned.activations)); !done) return done;
  if (const Done done = make_room_for_experts(c.workload.batch * c.workload.prompt_tokens); !done)
    return done;
  auto second = cuda::CopyStream::of(c.workload.copy_beside, gpu);
  if (!second) return failure(second.error());
  copies = std::move(*second);
  auto made = cuda::make_scratch(c, structure, gpu, planned.workspace - copies.on_device());
  if (!made) return failure(made.error());
  scratch = std::move(*made);
  return std::monostate{};
}

Done CudaBackend::Impl::make_room_for_experts(std::int64_t tokens) {
  auto made = cuda::make_expert_scratch(structure, tokens, gpu);
  if (!made) return failure(made.error());
  experts = std::move(*made);
  return std::monostate{};
}

/// Refuses a step that the workload, which memory was made for, says nothing of.
Done CudaBackend::Impl::check(const Step& step) const {
  const auto refuse = [](const char* what, std::int64_t has, std::int64_t most) {
    return failure("backend cuda: a step with " + std::to_string(has) + " " + what + "; there is room for " +
                   std::to_string(most));
  };
  const Features f = features(step);
  if (!copies.has_room(f.copy_beside))
    return failure("backend cuda: a step beside a copy that the workload does not have");
  if (f.sequences > scratch.sequences) return refuse("sequences", f.sequences, scratch.sequences);
  if (f.logit_rows > scratch.logit_rows) return refuse("rows of logits", f.logit_rows, scratch.logit_rows);
  if (plan.kernels.attention != AttentionKernel::naive) return std::monostate{};
  for (const AttentionSlice& s : f.slices) {
    const Bytes scores = size_of(kv_heads * group * s.fresh * (s.cached + s.fresh), DType::f32);
    if (scores > scratch.score_bytes)
      return refuse("bytes of attention scores", scores.value, scratch.score_bytes.value);
  }
  return std::monostate{};
}

/// Memory that a step needs and earlier ones did not.
Done CudaBackend::Impl::reserve(const Ready& ready) {
  if (ready.pass.memory.total > arena.size()) {
    graphs.clear();
    if (const Done done = assign(arena, DeviceBuffer::of(ready.pass.memory.total)); !done) return done;
  }
  if (ready.pass.features.tokens > experts.tokens) {
    graphs.clear();
    if (const Done done = make_room_for_experts(ready.pass.features.tokens); !done) return done;
  }
  const cuda::InputLimits need = cuda::limits_of(*ready.step, group), have = inputs.limits();
  const cuda::InputLimits most{std::max(need.tokens, have.tokens), std::max(need.sequences, have.sequences),
                               std::max(need.table, have.table), std::max(need.tiles, have.tiles),
                               ready.decode.parts > have.parts ? 2 * ready.decode.parts : have.parts};
  if (!(most == have)) {
    graphs.clear();
    auto made = cuda::DeviceInputs::of(most);
    if (!made) return failure(made.error());
    inputs = std::move(*made);
  }
  if (const std::int64_t positions = ready.pass.inputs.last_position() + 1; positions > rope_positions) {
    graphs.clear();
    rope_positions = std::max<std::int64_t>(2 * positions, 1024);
    const std::vector<float> table = rope_table(rope_scaling, rotary, rope_positions);
    const auto bytes = static_cast<std::int64_t>(table.size() * sizeof(float));
    if (const Done done = assign(rope, DeviceBuffer::of(Bytes{bytes})); !done) return done;
    return checked(
        cudaMemcpy(rope.data(), table.data(), table.size() * sizeof(float), cudaMemcpyHostToDevice),
        "copying the rope table");
  }
  return std::monostate{};
}

}  // namespace inferometer
