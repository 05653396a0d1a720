#include "executor/cuda/backend_impl.hpp"
#include "executor/cuda/decode_choice.hpp"
#include "executor/cuda/kernels/delay.hpp"
#include "model/launch.hpp"

namespace inferometer {

using cuda::checked;

Result<CudaBackend::Impl::Ready> CudaBackend::Impl::ready(const Step& step) {
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
  made.decode = options.decode
                    ? *options.decode
                    : cuda::decode_choice(*made.step, layer, group,
                                          appends && cuda::attention_in_octets(layer, group * kv_heads),
                                          gpu.processors);
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

}  // namespace inferometer
