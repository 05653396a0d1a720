#include "profiler/cuda_profiler.hpp"

#include "model/launch.hpp"
#include "profiler/attribute.hpp"

namespace inferometer {

Result<std::unique_ptr<CudaProfiler>> CudaProfiler::open(const CudaOptions& options) {
  // The tracer comes first: what is loaded and recorded before it subscribes is hidden from it.
  Result<std::unique_ptr<ActivityTracer>> tracer = ActivityTracer::open();
  if (!tracer) return failure(tracer.error());
  Result<std::unique_ptr<CudaBackend>> backend = CudaBackend::open(options);
  if (!backend) return failure(backend.error());
  return std::unique_ptr<CudaProfiler>(new CudaProfiler(std::move(*tracer), std::move(*backend)));
}

Result<MemoryUse> CudaProfiler::prepare(const Case& c, const Structure& structure) {
  structure_ = structure;
  plan_ = c.plan;
  return backend_->prepare(c, structure);
}

Result<Timeline> CudaProfiler::run(const Graph&, const Step& step) {
  backend_->observe(tracer_.get());
  const auto timer = backend_->timer();
  // The first run records the graph, where there is one, and warms caches.
  Result<Nanoseconds> time = timer->time(step);
  Done started = time ? tracer_->start() : failure(time.error());
  if (started) time = timer->time(step);
  Result<Trace> trace = started ? tracer_->stop() : failure(started.error());
  backend_->observe(nullptr);
  if (!time) return failure(time.error());
  if (!trace) return failure(trace.error());
  return attribute(*trace, structure_, features(step).tokens + padding_sequences(features(step), plan_));
}

}  // namespace inferometer
