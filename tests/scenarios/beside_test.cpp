#include "scenarios/beside.hpp"

#include <gtest/gtest.h>

namespace inferometer {
namespace {

BesideTimes times(int step_alone, int copy_alone, int both) {
  return {.step_alone = Nanoseconds{step_alone},
          .copy_alone = Nanoseconds{copy_alone},
          .step = Nanoseconds{both},
          .both = Nanoseconds{both}};
}

TEST(BesideTimes, OverlapIsWhatIsHiddenOfTheShorter) {
  EXPECT_DOUBLE_EQ(times(10, 4, 14).overlap(), 0);
  EXPECT_DOUBLE_EQ(times(10, 4, 12).overlap(), 0.5);
  EXPECT_DOUBLE_EQ(times(10, 4, 10).overlap(), 1);
  EXPECT_DOUBLE_EQ(times(4, 10, 10).overlap(), 1);
  EXPECT_DOUBLE_EQ(times(10, 4, 16).overlap(), -0.5);
  EXPECT_DOUBLE_EQ(times(10, 4, 12).stretch(), 1.2);
}

/// A step takes 100 alone, 130 beside a copy; the copy 50 alone, 160 beside. The n-th call takes n more.
class CountingTimer final : public StepTimer {
 public:
  Result<Nanoseconds> time(const Step& step) override {
    if (calls_ == fails_at) return failure("broken");
    const Nanoseconds more{calls_++};
    const bool alone = step.slices.empty();
    copied_ = step.copy_beside ? Nanoseconds{alone ? 50 : 160} + more : Nanoseconds{0};
    return alone ? Nanoseconds{0} : Nanoseconds{step.copy_beside ? 130 : 100} + more;
  }
  Nanoseconds copied() const override { return copied_; }
  int fails_at = -1;

 private:
  int calls_ = 0;
  Nanoseconds copied_{0};
};

Step beside_copy() { return {.slices = {Slice{}}, .operations = {}, .copy_beside = {.bytes = Bytes{1}}}; }

TEST(MeasureBeside, TakesMediansOfRoundsAfterTheFirst) {
  CountingTimer timer;
  const auto t = measure_beside(timer, beside_copy(), 3);
  ASSERT_TRUE(t);
  EXPECT_EQ(t->step_alone, Nanoseconds{106});  // calls 3, 6 and 9
  EXPECT_EQ(t->copy_alone, Nanoseconds{57});
  EXPECT_EQ(t->step, Nanoseconds{138});
  EXPECT_EQ(t->copy, Nanoseconds{168});
  EXPECT_EQ(t->both, Nanoseconds{168});
}

TEST(MeasureBeside, PassesOnWhatWentWrong) {
  for (const int call : {0, 1, 2, 5}) {
    CountingTimer timer;
    timer.fails_at = call;
    const auto t = measure_beside(timer, beside_copy(), 3);
    ASSERT_FALSE(t);
    EXPECT_EQ(t.error().front().message, "broken");
  }
}

}  // namespace
}  // namespace inferometer
