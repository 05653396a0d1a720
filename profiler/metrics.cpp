#include "profiler/metrics.hpp"

#include <cupti_profiler_host.h>

#include "profiler/cupti_status.hpp"

namespace inferometer {

struct MetricPlan::Host {
  CUpti_Profiler_Host_Object* object = nullptr;
  ~Host() {
    CUpti_Profiler_Host_Deinitialize_Params p{};
    p.structSize = CUpti_Profiler_Host_Deinitialize_Params_STRUCT_SIZE;
    p.pHostObject = object;
    if (object != nullptr) cuptiProfilerHostDeinitialize(&p);
  }
};

std::array<const char*, metrics.size()> cupti_names() {
  std::array<const char*, metrics.size()> names{};
  for (std::size_t i = 0; i < metrics.size(); ++i) names[i] = metrics[i].cupti;
  return names;
}

Result<MetricPlan> MetricPlan::of(const std::string& chip, const std::vector<std::uint8_t>& availability) {
  MetricPlan plan;
  plan.host_ = std::make_shared<Host>();
  CUpti_Profiler_Host_Initialize_Params host{};
  host.structSize = CUpti_Profiler_Host_Initialize_Params_STRUCT_SIZE;
  host.profilerType = CUPTI_PROFILER_TYPE_RANGE_PROFILER;
  host.pChipName = chip.c_str();
  host.pCounterAvailabilityImage = availability.empty() ? nullptr : availability.data();
  Done done = cupti_checked(cuptiProfilerHostInitialize(&host), "cuptiProfilerHostInitialize");
  if (!done) return failure(done.error());
  plan.host_->object = host.pHostObject;
  auto names = cupti_names();
  CUpti_Profiler_Host_ConfigAddMetrics_Params add{};
  add.structSize = CUpti_Profiler_Host_ConfigAddMetrics_Params_STRUCT_SIZE;
  add.pHostObject = host.pHostObject;
  add.ppMetricNames = names.data();
  add.numMetrics = names.size();
  done = cupti_checked(cuptiProfilerHostConfigAddMetrics(&add), "cuptiProfilerHostConfigAddMetrics");
  CUpti_Profiler_Host_GetConfigImageSize_Params size{};
  size.structSize = CUpti_Profiler_Host_GetConfigImageSize_Params_STRUCT_SIZE;
  size.pHostObject = host.pHostObject;
  if (done)
    done = cupti_checked(cuptiProfilerHostGetConfigImageSize(&size), "cuptiProfilerHostGetConfigImageSize");
  if (!done) return failure(done.error());
  plan.image_.resize(size.configImageSize);
  CUpti_Profiler_Host_GetConfigImage_Params image{};
  image.structSize = CUpti_Profiler_Host_GetConfigImage_Params_STRUCT_SIZE;
  image.pHostObject = host.pHostObject;
  image.configImageSize = plan.image_.size();
  image.pConfigImage = plan.image_.data();
  done = cupti_checked(cuptiProfilerHostGetConfigImage(&image), "cuptiProfilerHostGetConfigImage");
  CUpti_Profiler_Host_GetNumOfPasses_Params passes{};
  passes.structSize = CUpti_Profiler_Host_GetNumOfPasses_Params_STRUCT_SIZE;
  passes.configImageSize = plan.image_.size();
  passes.pConfigImage = plan.image_.data();
  if (done) done = cupti_checked(cuptiProfilerHostGetNumOfPasses(&passes), "cuptiProfilerHostGetNumOfPasses");
  if (!done) return failure(done.error());
  plan.passes_ = passes.numOfPasses;
  return plan;
}

Result<std::map<std::string, double>> MetricPlan::values(const std::vector<std::uint8_t>& data,
                                                         std::size_t range) const {
  auto names = cupti_names();
  std::array<double, metrics.size()> numbers{};
  CUpti_Profiler_Host_EvaluateToGpuValues_Params p{};
  p.structSize = CUpti_Profiler_Host_EvaluateToGpuValues_Params_STRUCT_SIZE;
  p.pHostObject = host_->object;
  p.pCounterDataImage = data.data();
  p.counterDataImageSize = data.size();
  p.rangeIndex = range;
  p.ppMetricNames = names.data();
  p.numMetrics = names.size();
  p.pMetricValues = numbers.data();
  const Done done =
      cupti_checked(cuptiProfilerHostEvaluateToGpuValues(&p), "cuptiProfilerHostEvaluateToGpuValues");
  if (!done) return failure(done.error());
  std::map<std::string, double> values;
  for (std::size_t i = 0; i < metrics.size(); ++i) values[std::string{metrics[i].name}] = numbers[i];
  return values;
}

}  // namespace inferometer
