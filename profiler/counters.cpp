#include "profiler/counters.hpp"

#include <cudaTypedefs.h>
#include <cupti_profiler_target.h>
#include <cupti_range_profiler.h>
#include <cupti_target.h>

#include "executor/cuda/status.hpp"
#include "profiler/cupti_status.hpp"

namespace inferometer {
namespace {

/// Asked of the driver at run time, so that the program starts without one.
CUcontext current_context() {
  void* entry = nullptr;
  cudaDriverEntryPointQueryResult result{};
  if (cudaGetDriverEntryPointByVersion("cuCtxGetCurrent", &entry, 12000, cudaEnableDefault, &result) !=
          cudaSuccess ||
      entry == nullptr)
    return nullptr;
  CUcontext context = nullptr;
  reinterpret_cast<PFN_cuCtxGetCurrent_v4000>(entry)(&context);
  return context;
}

/// Which counters this driver grants.
Result<std::vector<std::uint8_t>> availability_of(CUcontext context) {
  CUpti_Profiler_Initialize_Params start{};
  start.structSize = CUpti_Profiler_Initialize_Params_STRUCT_SIZE;
  Done done = cupti_checked(cuptiProfilerInitialize(&start), "cuptiProfilerInitialize");
  CUpti_Profiler_GetCounterAvailability_Params p{};
  p.structSize = CUpti_Profiler_GetCounterAvailability_Params_STRUCT_SIZE;
  p.ctx = context;
  if (done)
    done = cupti_checked(cuptiProfilerGetCounterAvailability(&p), "cuptiProfilerGetCounterAvailability");
  if (!done) return failure(done.error());
  std::vector<std::uint8_t> image(p.counterAvailabilityImageSize);
  p.pCounterAvailabilityImage = image.data();
  done = cupti_checked(cuptiProfilerGetCounterAvailability(&p), "cuptiProfilerGetCounterAvailability");
  if (!done) return failure(done.error());
  return image;
}

}  // namespace

struct NodeCounters::Impl {
  MetricPlan plan;
  CUpti_RangeProfiler_Object* profiler = nullptr;
  std::vector<std::uint8_t> data;
  std::size_t ranges = 0, next_pass = 0;
  std::uint16_t next_level = 1;
};

NodeCounters::NodeCounters(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
NodeCounters::~NodeCounters() {
  CUpti_RangeProfiler_Disable_Params p{};
  p.structSize = CUpti_RangeProfiler_Disable_Params_STRUCT_SIZE;
  p.pRangeProfilerObject = impl_->profiler;
  if (impl_->profiler != nullptr) cuptiRangeProfilerDisable(&p);
}

Result<std::unique_ptr<NodeCounters>> NodeCounters::open(int device, std::size_t nodes) {
  const CUcontext context = current_context();
  auto impl = std::make_unique<Impl>();
  impl->ranges = nodes;
  const auto availability = availability_of(context);
  if (!availability) return failure(availability.error());
  CUpti_Device_GetChipName_Params chip{};
  chip.structSize = CUpti_Device_GetChipName_Params_STRUCT_SIZE;
  chip.deviceIndex = static_cast<std::size_t>(device);
  if (const Done done = cupti_checked(cuptiDeviceGetChipName(&chip), "cuptiDeviceGetChipName"); !done)
    return failure(done.error());
  Result<MetricPlan> plan = MetricPlan::of(chip.pChipName, *availability);
  if (!plan) return failure(plan.error());
  impl->plan = std::move(*plan);
  CUpti_RangeProfiler_Enable_Params enable{};
  enable.structSize = CUpti_RangeProfiler_Enable_Params_STRUCT_SIZE;
  enable.ctx = context;
  if (const Done done = cupti_checked(cuptiRangeProfilerEnable(&enable), "cuptiRangeProfilerEnable"); !done)
    return failure(done.error());
  impl->profiler = enable.pRangeProfilerObject;
  auto counters = std::unique_ptr<NodeCounters>(new NodeCounters(std::move(impl)));
  auto names = cupti_names();
  CUpti_RangeProfiler_GetCounterDataSize_Params size{};
  size.structSize = CUpti_RangeProfiler_GetCounterDataSize_Params_STRUCT_SIZE;
  size.pRangeProfilerObject = enable.pRangeProfilerObject;
  size.pMetricNames = names.data();
  size.numMetrics = names.size();
  size.maxNumOfRanges = nodes;
  size.maxNumRangeTreeNodes = static_cast<std::uint32_t>(nodes);
  if (const Done done =
          cupti_checked(cuptiRangeProfilerGetCounterDataSize(&size), "cuptiRangeProfilerGetCounterDataSize");
      !done)
    return failure(done.error());
  counters->impl_->data.resize(size.counterDataSize);
  CUpti_RangeProfiler_CounterDataImage_Initialize_Params image{};
  image.structSize = CUpti_RangeProfiler_CounterDataImage_Initialize_Params_STRUCT_SIZE;
  image.pRangeProfilerObject = enable.pRangeProfilerObject;
  image.counterDataSize = counters->impl_->data.size();
  image.pCounterData = counters->impl_->data.data();
  if (const Done done = cupti_checked(cuptiRangeProfilerCounterDataImageInitialize(&image),
                                      "cuptiRangeProfilerCounterDataImageInitialize");
      !done)
    return failure(done.error());
  return counters;
}

void NodeCounters::begin(std::int32_t node) {
  const std::string name = std::to_string(node);
  CUpti_RangeProfiler_PushRange_Params p{};
  p.structSize = CUpti_RangeProfiler_PushRange_Params_STRUCT_SIZE;
  p.pRangeProfilerObject = impl_->profiler;
  p.pRangeName = name.c_str();
  cuptiRangeProfilerPushRange(&p);
}
void NodeCounters::end() {
  CUpti_RangeProfiler_PopRange_Params p{};
  p.structSize = CUpti_RangeProfiler_PopRange_Params_STRUCT_SIZE;
  p.pRangeProfilerObject = impl_->profiler;
  cuptiRangeProfilerPopRange(&p);
}

Done NodeCounters::start_pass() {
  CUpti_RangeProfiler_SetConfig_Params config{};
  config.structSize = CUpti_RangeProfiler_SetConfig_Params_STRUCT_SIZE;
  config.pRangeProfilerObject = impl_->profiler;
  config.configSize = impl_->plan.image().size();
  config.pConfig = impl_->plan.image().data();
  config.counterDataImageSize = impl_->data.size();
  config.pCounterDataImage = impl_->data.data();
  config.range = CUPTI_UserRange;
  config.replayMode = CUPTI_UserReplay;
  config.maxRangesPerPass = impl_->ranges;
  config.numNestingLevels = 1;
  config.minNestingLevel = 1;
  config.passIndex = impl_->next_pass;
  config.targetNestingLevel = impl_->next_level;
  Done done = cupti_checked(cuptiRangeProfilerSetConfig(&config), "cuptiRangeProfilerSetConfig");
  CUpti_RangeProfiler_Start_Params start{};
  start.structSize = CUpti_RangeProfiler_Start_Params_STRUCT_SIZE;
  start.pRangeProfilerObject = impl_->profiler;
  if (done) done = cupti_checked(cuptiRangeProfilerStart(&start), "cuptiRangeProfilerStart");
  return done;
}

Result<bool> NodeCounters::stop_pass() {
  cudaDeviceSynchronize();
  CUpti_RangeProfiler_Stop_Params stop{};
  stop.structSize = CUpti_RangeProfiler_Stop_Params_STRUCT_SIZE;
  stop.pRangeProfilerObject = impl_->profiler;
  if (const Done done = cupti_checked(cuptiRangeProfilerStop(&stop), "cuptiRangeProfilerStop"); !done)
    return failure(done.error());
  impl_->next_pass = stop.passIndex;
  impl_->next_level = static_cast<std::uint16_t>(stop.targetNestingLevel);
  return stop.isAllPassSubmitted != 0;
}

Result<std::map<std::int32_t, std::map<std::string, double>>> NodeCounters::decode() {
  CUpti_RangeProfiler_DecodeData_Params decode{};
  decode.structSize = CUpti_RangeProfiler_DecodeData_Params_STRUCT_SIZE;
  decode.pRangeProfilerObject = impl_->profiler;
  Done done = cupti_checked(cuptiRangeProfilerDecodeData(&decode), "cuptiRangeProfilerDecodeData");
  CUpti_RangeProfiler_GetCounterDataInfo_Params info{};
  info.structSize = CUpti_RangeProfiler_GetCounterDataInfo_Params_STRUCT_SIZE;
  info.pCounterDataImage = impl_->data.data();
  info.counterDataImageSize = impl_->data.size();
  if (done)
    done = cupti_checked(cuptiRangeProfilerGetCounterDataInfo(&info), "cuptiRangeProfilerGetCounterDataInfo");
  if (!done) return failure(done.error());
  if (decode.numOfRangeDropped > 0)
    return failure("profile: counters of " + std::to_string(decode.numOfRangeDropped) +
                   " nodes were dropped");
  std::map<std::int32_t, std::map<std::string, double>> all;
  for (std::size_t i = 0; i < info.numTotalRanges; ++i) {
    CUpti_RangeProfiler_CounterData_GetRangeInfo_Params range{};
    range.structSize = CUpti_RangeProfiler_CounterData_GetRangeInfo_Params_STRUCT_SIZE;
    range.pCounterDataImage = impl_->data.data();
    range.counterDataImageSize = impl_->data.size();
    range.rangeIndex = i;
    range.rangeDelimiter = "/";
    if (const Done named = cupti_checked(cuptiRangeProfilerCounterDataGetRangeInfo(&range),
                                         "cuptiRangeProfilerCounterDataGetRangeInfo");
        !named)
      return failure(named.error());
    auto values = impl_->plan.values(impl_->data, i);
    if (!values) return failure(values.error());
    all[std::stoi(range.rangeName)] = std::move(*values);
  }
  return all;
}

}  // namespace inferometer
