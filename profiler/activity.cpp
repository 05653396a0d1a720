#include "profiler/activity.hpp"

#include <cstdlib>
#include <mutex>

#include "profiler/cupti_status.hpp"

namespace inferometer {
namespace {

constexpr std::size_t buffer_bytes = 8 << 20;

/// What the tracer of this process has collected; CUPTI's callbacks carry no pointer of ours.
struct Collected {
  std::mutex mutex;
  Trace trace;
  std::map<CUgraphNode, std::int32_t> node_of_recorded;  ///< while a graph is being recorded
  std::int32_t current = -1;
};
Collected& collected() {
  static Collected all;
  return all;
}

void CUPTIAPI buffer_requested(std::uint8_t** buffer, std::size_t* size, std::size_t* most_records) {
  *buffer = static_cast<std::uint8_t*>(std::aligned_alloc(8, buffer_bytes));
  *size = *buffer == nullptr ? 0 : buffer_bytes;
  *most_records = 0;
}

void keep(const CUpti_Activity* record, Trace& trace) {
  if (record->kind == CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL) {
    const auto* k = reinterpret_cast<const CUpti_ActivityKernel10*>(record);
    trace.kernels.push_back({.name = k->name,
                             .start = Nanoseconds{static_cast<std::int64_t>(k->start)},
                             .end = Nanoseconds{static_cast<std::int64_t>(k->end)},
                             .correlation = k->correlationId,
                             .graph_node = k->graphNodeId,
                             .stream = k->streamId});
  } else if (record->kind == CUPTI_ACTIVITY_KIND_EXTERNAL_CORRELATION) {
    const auto* e = reinterpret_cast<const CUpti_ActivityExternalCorrelation*>(record);
    trace.node_of_call[e->correlationId] = static_cast<std::int32_t>(e->externalId);
  }
}

void CUPTIAPI buffer_completed(CUcontext context, std::uint32_t stream, std::uint8_t* buffer, std::size_t,
                               std::size_t valid) {
  Collected& all = collected();
  const std::lock_guard lock(all.mutex);
  CUpti_Activity* record = nullptr;
  while (cuptiActivityGetNextRecord(buffer, valid, &record) == CUPTI_SUCCESS) keep(record, all.trace);
  std::size_t dropped = 0;
  if (cuptiActivityGetNumDroppedRecords(context, stream, &dropped) == CUPTI_SUCCESS)
    all.trace.dropped += static_cast<std::int64_t>(dropped);
  std::free(buffer);
}

void CUPTIAPI graph_changed(void*, CUpti_CallbackDomain domain, CUpti_CallbackId id, const void* data) {
  if (domain != CUPTI_CB_DOMAIN_RESOURCE) return;
  const auto* resource = static_cast<const CUpti_ResourceData*>(data);
  const auto* graph = static_cast<const CUpti_GraphData*>(resource->resourceDescriptor);
  Collected& all = collected();
  const std::lock_guard lock(all.mutex);
  std::int32_t node = all.current;
  if (id == CUPTI_CBID_RESOURCE_GRAPHNODE_CLONED) {
    const auto original = all.node_of_recorded.find(graph->originalNode);
    if (original == all.node_of_recorded.end()) return;
    node = original->second;
  } else if (id != CUPTI_CBID_RESOURCE_GRAPHNODE_CREATED || node < 0) {
    return;
  }
  all.node_of_recorded[graph->node] = node;
  std::uint64_t number = 0;
  if (cuptiGetGraphNodeId(graph->node, &number) == CUPTI_SUCCESS) all.trace.node_of_graph_node[number] = node;
}

constexpr CUpti_ActivityKind kinds[] = {CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, CUPTI_ACTIVITY_KIND_RUNTIME,
                                        CUPTI_ACTIVITY_KIND_DRIVER, CUPTI_ACTIVITY_KIND_EXTERNAL_CORRELATION};
constexpr CUpti_CallbackId graph_callbacks[] = {CUPTI_CBID_RESOURCE_GRAPHNODE_CREATED,
                                                CUPTI_CBID_RESOURCE_GRAPHNODE_CLONED};

}  // namespace

struct ActivityTracer::Impl {
  CUpti_SubscriberHandle subscriber = nullptr;
  bool tracing = false;
};

ActivityTracer::ActivityTracer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ActivityTracer::~ActivityTracer() { cuptiUnsubscribe(impl_->subscriber); }

Result<std::unique_ptr<ActivityTracer>> ActivityTracer::open() {
  auto impl = std::make_unique<Impl>();
  Done done = cupti_checked(cuptiSubscribe(&impl->subscriber, graph_changed, nullptr), "cuptiSubscribe");
  for (const CUpti_CallbackId id : graph_callbacks) {
    if (done)
      done = cupti_checked(cuptiEnableCallback(1, impl->subscriber, CUPTI_CB_DOMAIN_RESOURCE, id),
                           "cuptiEnableCallback");
  }
  if (done)
    done = cupti_checked(cuptiActivityRegisterCallbacks(buffer_requested, buffer_completed),
                         "cuptiActivityRegisterCallbacks");
  if (!done) return failure(done.error());
  return std::unique_ptr<ActivityTracer>(new ActivityTracer(std::move(impl)));
}

void ActivityTracer::begin(std::int32_t node) {
  {
    const std::lock_guard lock(collected().mutex);
    collected().current = node;
  }
  if (impl_->tracing)
    cuptiActivityPushExternalCorrelationId(CUPTI_EXTERNAL_CORRELATION_KIND_CUSTOM0,
                                           static_cast<std::uint64_t>(node));
}
void ActivityTracer::end() {
  if (impl_->tracing) {
    std::uint64_t last = 0;
    cuptiActivityPopExternalCorrelationId(CUPTI_EXTERNAL_CORRELATION_KIND_CUSTOM0, &last);
  }
  const std::lock_guard lock(collected().mutex);
  collected().current = -1;
}

Done ActivityTracer::start() {
  {
    const std::lock_guard lock(collected().mutex);
    collected().trace.kernels.clear();
    collected().trace.node_of_call.clear();
    collected().trace.dropped = 0;
  }
  Done done = std::monostate{};
  for (const CUpti_ActivityKind kind : kinds) {
    if (done) done = cupti_checked(cuptiActivityEnable(kind), "cuptiActivityEnable");
  }
  impl_->tracing = done.has_value();
  return done;
}

Result<Trace> ActivityTracer::stop() {
  cudaDeviceSynchronize();
  const Done flushed =
      cupti_checked(cuptiActivityFlushAll(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED), "cuptiActivityFlushAll");
  for (const CUpti_ActivityKind kind : kinds) cuptiActivityDisable(kind);
  impl_->tracing = false;
  if (!flushed) return failure(flushed.error());
  const std::lock_guard lock(collected().mutex);
  return collected().trace;
}

}  // namespace inferometer
