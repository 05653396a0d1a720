#include "executor/cuda/cuda_backend.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "executor/cuda/copy_stream.hpp"
#include "executor/cuda/cudnn/prompt_attention.hpp"
#include "executor/cuda/decode_choice.hpp"
#include "executor/cuda/kernels/delay.hpp"
#include "executor/cuda/launch_node.hpp"
#include "executor/cuda/product_choice.hpp"
#include "executor/cuda/recorded_graph.hpp"
#include "executor/cuda/stream.hpp"
#include "executor/cuda/supported.hpp"
#include "executor/weights/checkpoint.hpp"
#include "executor/weights/rope_table.hpp"
#include "model/launch.hpp"

namespace inferometer {

using cuda::checked;
using cuda::DeviceBuffer;

namespace {

/// A step with everything that its launch needs. What pads it writes to a block of the cache that no sequence
/// has.
struct Ready {
  std::unique_ptr<Step> step;
  Pass pass;
  std::int64_t rows = 0;  ///< of logits that somebody asked for
  DecodeChoice decode;
  bool recorded = false;
};

Done assign(DeviceBuffer& buffer, Result<DeviceBuffer> made) {
  if (!made) return failure(made.error());
  buffer = std::move(*made);
  return std::monostate{};
}

}  // namespace

struct CudaBackend::Impl {
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
  DeviceBuffer arena, rope;
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

Result<Ready> CudaBackend::Impl::ready(const Step& step) {
  Ready made{.step = std::make_unique<Step>(step), .pass = {}};
  const Features asked = features(step);
  made.rows = asked.logit_rows;
  made.recorded = recorded(asked, plan);
  if (const Done fits = check(step); !fits) return failure(fits.error());
  Result<StepInputs> inputs_of_step = step_inputs(*made.step, state.shape(), vocab);
  if (!inputs_of_step) return failure(inputs_of_step.error());
  if (const std::int64_t padding = padding_sequences(asked, plan); padding > 0) {
    for (std::int64_t i = padding; i > 0; --i) {
      made.step->slices.push_back(
          {.sequence = -i, .tokens = {0}, .fresh = 1, .cached = 0, .block_table = {state.padding_block()}});
    }
    // Only what pads may name the block behind the cache.
    inputs_of_step = step_inputs(*made.step, {state.shape().blocks + 1, state.shape().block_tokens}, vocab);
    if (!inputs_of_step) return failure(inputs_of_step.error());
  }
  made.pass = pass_of(structure, *made.step, std::move(*inputs_of_step));
  const cuda::KvCache& layer = state.layer(0);
  const bool appends = plan.fusion.rope_attention && decodes(made.pass.features);
  made.decode =
      cuda::decode_choice(*made.step, layer, group,
                          appends && cuda::attention_in_octets(layer, group * kv_heads), gpu.processors);
  if (const Done done = reserve(made); !done) return failure(done.error());
  return made;
}

Done CudaBackend::Impl::enqueue(const Ready& ready) {
  const cuda::NodeContext context{.structure = structure,
                                  .pass = ready.pass,
                                  .state = state,
                                  .constants = constants,
                                  .inputs = inputs,
                                  .scales = scales,
                                  .scratch = scratch,
                                  .experts = experts,
                                  .gpu = gpu,
                                  .tuning = options.tuning,
                                  .products = products,
                                  .prompts = prompts.get(),
                                  .rope = reinterpret_cast<const float*>(rope.data()),
                                  .arena = arena.data(),
                                  .decode = ready.decode,
                                  .queue = {.stream = stream.get(),
                                            .processors = gpu.processors,
                                            .hopper = gpu.hopper(),
                                            .overlap = plan.launch.overlap && gpu.hopper() &&
                                                       (observer == nullptr || !observer->apart())}};
  NodeObserver* told = scales.wanted() ? nullptr : observer;  // calibrating is no part of the step
  for (std::size_t i = 0; i < structure.nodes.size(); ++i) {
    const NodeRange kernel = scales.wanted() ? NodeRange{i, i} : kernel_of(structure, i, ready.pass.features);
    if (kernel.first != i) continue;  // it ran with the first
    if (told != nullptr) told->begin(static_cast<std::int32_t>(i));
    const Done done = launch_nodes(context, kernel);
    if (told != nullptr) told->end();
    if (!done) return done;
    // At once: what is called next may clear it.
    if (cudaPeekAtLastError() != cudaSuccess)
      return checked(cudaGetLastError(), ("launching " + structure.nodes[i].name).c_str());
  }
  return std::monostate{};
}

/// Behind `start`; there may be none.
Done CudaBackend::Impl::begin_copy(const CopyBeside& copy) {
  if (!copy) return std::monostate{};
  if (observer != nullptr) observer->begin(copy_node);
  const Done done = copies.begin(copy, start.get());
  if (observer != nullptr) observer->end();
  return done;
}

Result<Nanoseconds> CudaBackend::Impl::copy_alone(const CopyBeside& copy) {
  require(copy && copies.has_room(copy), "a step without slices has the workload's copy");
  cuda::delay(100'000, stream.get());
  cudaEventRecord(start.get(), stream.get());
  if (const Done done = begin_copy(copy); !done) return failure(done.error());
  return copies.wait(start.get());
}

Result<Nanoseconds> CudaBackend::Impl::execute(const Ready& ready) {
  inputs.send(ready.pass, group, plan.kernels.attention == AttentionKernel::cudnn, ready.decode,
              stream.get());
  for (const StateOperation& o : ready.step->operations) {
    if (o.kind == StateOperation::Kind::copy_block) state.copy_block(o.from, o.to, stream.get());
  }
  if (scales.wanted()) {
    if (const Done done = enqueue(ready); !done) return failure(done.error());
    scales.found();
  }
  const cuda::RecordedGraph* graph = nullptr;
  if (ready.recorded && (observer == nullptr || !observer->apart())) {
    const std::tuple key{static_cast<std::int64_t>(ready.step->slices.size()), ready.pass.features.logit_rows,
                         cuda::recorded_choice(ready.decode)};
    auto known = graphs.find(key);
    if (known == graphs.end()) {
      // Libraries load what they need at a first run, which a recording must not contain.
      if (const Done done = enqueue(ready); !done) return failure(done.error());
      auto made = cuda::RecordedGraph::of(stream.get(), [&] { return enqueue(ready); });
      if (!made) return failure(made.error());
      known = graphs.emplace(key, std::move(*made)).first;
      // The first replay also brings the graph to the device; engines record and replay theirs before they
      // serve.
      if (observer == nullptr) {
        if (const Done done = known->second.replay(stream.get()); !done) return failure(done.error());
      }
    }
    graph = &known->second;
  }
  // Engines enqueue the next replay while the last one runs: how long the driver takes to start one is no
  // part of the step. Eager launches are: there the host may be what the device waits for.
  if (graph != nullptr && observer == nullptr) cuda::delay(100'000, stream.get());
  cudaEventRecord(start.get(), stream.get());
  // What must run apart from all other kernels has no copy beside it either.
  const CopyBeside copy = observer != nullptr && observer->apart() ? CopyBeside{} : ready.step->copy_beside;
  Done launched = begin_copy(copy);
  if (launched) launched = graph != nullptr ? graph->replay(stream.get()) : enqueue(ready);
  cudaEventRecord(end.get(), stream.get());
  if (!launched) return failure(launched.error());
  if (const Done done = checked(cudaStreamSynchronize(stream.get()), "running a step"); !done)
    return failure(done.error());
  if (copy) {
    const Result<Nanoseconds> took = copies.wait(start.get());
    if (!took) return failure(took.error());
    copied = *took;
  }
  return cuda::between(start.get(), end.get());
}

Done CudaBackend::Impl::collect_output(const Ready& ready) {
  const auto fetch = [&](std::int64_t buffer, auto& values, std::int64_t count) {
    using T = typename std::remove_reference_t<decltype(values)>::value_type;
    values.resize(static_cast<std::size_t>(count));
    const char* from = arena.data() + ready.pass.memory.offset[static_cast<std::size_t>(buffer)].value;
    return checked(cudaMemcpy(values.data(), from, values.size() * sizeof(T), cudaMemcpyDeviceToHost),
                   "fetching the output");
  };
  output.logits.clear();
  if (keep_logits) {
    if (const Done done = fetch(structure.logits, output.logits, ready.rows * vocab); !done) return done;
  }
  return fetch(structure.nodes.back().writes[0].buffer, output.tokens, ready.rows);
}

CudaBackend::CudaBackend(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CudaBackend::~CudaBackend() = default;

Result<std::unique_ptr<CudaBackend>> CudaBackend::open(const CudaOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  Result<cuda::Gpu> gpu = cuda::find_gpu(options.device);
  if (!gpu) return failure(gpu.error());
  impl->gpu = std::move(*gpu);
  if (Errors errors = cuda::why_not_tuned(options.tuning, impl->gpu, cuda::CublasLt::version());
      !errors.empty())
    return failure(std::move(errors));
  Result<cuda::Stream> stream = cuda::make_stream();
  if (!stream) return failure(stream.error());
  impl->stream = std::move(*stream);
  for (cuda::Event* event : {&impl->start, &impl->end}) {
    Result<cuda::Event> made = cuda::make_event();
    if (!made) return failure(made.error());
    *event = std::move(*made);
  }
  Result<cuda::CublasLt> products = cuda::CublasLt::open();
  if (!products) return failure(products.error());
  impl->products = std::move(*products);
  return std::unique_ptr<CudaBackend>(new CudaBackend(std::move(impl)));
}

std::string CudaBackend::name() const { return "cuda:" + std::to_string(impl_->gpu.index); }
const cuda::Gpu& CudaBackend::gpu() const { return impl_->gpu; }
void CudaBackend::observe(NodeObserver* observer) {
  impl_->observer = observer;
  impl_->graphs.clear();
}

Result<MemoryUse> CudaBackend::prepare(const Case& c, const Structure& structure) {
  Impl& m = *impl_;
  m.release();
  m.structure = structure;
  m.plan = c.plan;
  if (Errors errors = cuda::not_executed(c, structure, m.gpu); !errors.empty())
    return failure(std::move(errors));
  std::size_t available = 0, total = 0;
  if (const Done done = checked(cudaMemGetInfo(&available, &total), "cudaMemGetInfo"); !done)
    return failure(done.error());
  MemoryUse planned = memory_budget(c, structure);
  planned.capacity = Bytes{static_cast<std::int64_t>(available)};
  if (!planned.fits()) {
    return failure("backend " + name() + ": needs " + std::to_string(planned.total().value) +
                   " bytes of memory, " + std::to_string(available) + " are available");
  }
  const Architecture& a = c.model();
  m.rope_scaling = a.rope;
  m.vocab = a.vocab;
  m.group = a.heads / a.kv_heads;
  m.kv_heads = a.kv_heads;
  m.rotary = static_cast<std::int64_t>(static_cast<double>(a.head_dim) * a.rope.partial_factor);
  if (const Done loaded = m.load(c, planned); !loaded) return failure(loaded.error());
  return MemoryUse{.weights = m.constants.memory.size(),
                   .kv = m.state.bytes(),
                   .activations = m.arena.size(),
                   .workspace = m.scratch.memory.size() + m.experts.memory.size() +
                                cuda::CublasLt::workspace_size + m.copies.on_device(),
                   .capacity = planned.capacity};
}

Result<Timeline> CudaBackend::run(const Graph& graph, const Step& step) {
  Impl& m = *impl_;
  require(num_vertices(graph) == m.structure.nodes.size(), "a graph of the prepared structure");
  const Result<Nanoseconds> time = timer()->time(step);
  if (!time) return failure(time.error());
  Span span{.nodes = {}, .kind = SpanKind::kernel, .duration = *time, .kernel = "step"};
  for (std::size_t i = 0; i < m.structure.nodes.size(); ++i)
    span.nodes.push_back(static_cast<std::int32_t>(i));
  return Timeline{.spans = {std::move(span)}, .end = *time};
}

const Output& CudaBackend::output() const { return impl_->output; }
void CudaBackend::keep_logits(bool keep) { impl_->keep_logits = keep; }

std::unique_ptr<StepTimer> CudaBackend::timer() {
  struct Timer final : StepTimer {
    explicit Timer(Impl& i) : impl(i) {}
    Result<Nanoseconds> time(const Step& step) override {
      impl.copied = Nanoseconds{0};
      if (step.slices.empty()) {
        const Result<Nanoseconds> took = impl.copy_alone(step.copy_beside);
        if (!took) return failure(took.error());
        impl.copied = *took;
        return Nanoseconds{0};
      }
      const Result<Ready> ready = impl.ready(step);
      if (!ready) return failure(ready.error());
      const Result<Nanoseconds> took = impl.execute(*ready);
      if (!took) return failure(took.error());
      if (const Done done = impl.collect_output(*ready); !done) return failure(done.error());
      return *took;
    }
    Nanoseconds copied() const override { return impl.copied; }
    Impl& impl;
  };
  return std::make_unique<Timer>(*impl_);
}

}  // namespace inferometer
