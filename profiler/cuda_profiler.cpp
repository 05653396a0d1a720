#include "profiler/cuda_profiler.hpp"

#include <utility>

#include "model/launch.hpp"
#include "profiler/attribute.hpp"
#include "profiler/counters.hpp"

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
  counted_.clear();
  return backend_->prepare(c, structure);
}

/// Counters of a node are those of all its kernels; its first span carries them.
void CudaProfiler::add_counters(Timeline& timeline, const Step& step) {
  Result<std::unique_ptr<NodeCounters>> counters =
      NodeCounters::open(backend_->gpu().index, structure_.nodes.size());
  Result<std::map<std::int32_t, std::map<std::string, double>>> found = failure(Errors{});
  if (counters) {
    backend_->observe(counters->get());
    const auto timer = backend_->timer();
    found = (*counters)->count([&]() -> Done {
      const Result<Nanoseconds> time = timer->time(step);
      if (!time) return failure(time.error());
      return std::monostate{};
    });
    backend_->observe(nullptr);
  }
  if (!counters || !found) {
    why_no_counters_ = (counters ? found.error() : counters.error()).front().message;
    return;
  }
  for (Span& span : timeline.spans) {
    const auto node = span.nodes.empty() ? found->end() : found->find(span.nodes.front());
    if (node == found->end()) continue;
    span.counters = std::move(node->second);
    span.counters["dram_bytes"] = span.counters["dram_read_bytes"] + span.counters["dram_write_bytes"];
    found->erase(node);
  }
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
  Result<Timeline> timeline = attribute(*trace, structure_, padded(features(step), plan_));
  if (!timeline || !counting_) return timeline;
  std::vector<std::pair<std::int64_t, std::int64_t>> shape;
  for (const Slice& s : step.slices) shape.emplace_back(s.fresh, s.cached);
  if (shape != std::exchange(counted_, shape)) add_counters(*timeline, step);
  return timeline;
}

}  // namespace inferometer
