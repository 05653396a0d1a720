#include "executor/cuda/cuda_backend.hpp"

#include "executor/cuda/backend_impl.hpp"
#include "executor/cuda/product_choice.hpp"
#include "executor/cuda/supported.hpp"

namespace inferometer {

using cuda::checked;

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
      const Result<Impl::Ready> ready = impl.ready(step);
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
