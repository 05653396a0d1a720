#pragma once
#include <algorithm>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "roofline/profiles/layer_profile.hpp"
#include "simulator/serving/batch_timer.hpp"

namespace inferometer {

/// What an engine adds to the kernels of a profile.
struct ProfiledEngine {
  std::vector<std::int64_t>
      graph_sizes;  ///< tokens of the recorded graphs, ascending; none: nothing is padded
  Seconds per_step{0}, per_sequence{0};  ///< host time that the device waits for
  /// What devices that share the layers take to exchange in a step; none: one device.
  std::function<Nanoseconds(const StepTotals&)> exchange;
};

/// Steps take what a measured profile says, and the engine's host beside it.
class ProfiledTimer final : public BatchTimer {
 public:
  ProfiledTimer(std::shared_ptr<const LayerProfile> profile, ProfiledEngine engine)
      : profile_(std::move(profile)), engine_(std::move(engine)) {}

  Result<Nanoseconds> time(const Batch& batch) override {
    batch.slices(slices_);
    DecodeSpread spread;
    for (const BatchSlice& s : slices_) {
      if (s.fresh == 1) spread.longest = std::max(spread.longest, s.cached);
    }
    const StepTotals& totals = batch.totals;
    const Nanoseconds exchange = engine_.exchange ? engine_.exchange(totals) : Nanoseconds{0};
    return exchange +
           to_ticks(profile_->time(totals, spread, padded(totals.tokens(), engine_.graph_sizes)) +
                    engine_.per_step + static_cast<double>(totals.sequences()) * engine_.per_sequence);
  }

 private:
  std::shared_ptr<const LayerProfile> profile_;
  ProfiledEngine engine_;
  std::vector<BatchSlice> slices_;
};

}  // namespace inferometer
