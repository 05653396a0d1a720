#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "model/seeded.hpp"
#include "roofline/fitting/draw.hpp"
#include "roofline/fitting/error_range.hpp"
#include "roofline/fitting/fit_model.hpp"
#include "roofline/fitting/least_squares.hpp"
#include "roofline/fitting/validation.hpp"

namespace inferometer {
namespace {

/// 100 processors, 1000 cycles per us, 4 MB/us of memory, 1000 TFLOP/s, 50 MB of L2.
Chip round_chip() {
  return {.sms = 100, .clock = 1000, .bandwidth = 4e6, .l2 = 50e6, .flops = 1e9, .bf16_flops = 1e9};
}

Gemm product(std::int64_t m, std::int64_t n, std::int64_t k) { return {.m = m, .n = n, .k = k}; }

double generic_time(const Gemm& call) {
  return call.time(round_chip(), generic_values(call.parameters())).total;
}

/// Times of the model itself with values of its own: what a fit has to find again.
std::vector<Sample> made_by(const std::vector<double>& values) {
  std::vector<Sample> samples;
  for (const std::int64_t n : {512, 1024, 4096, 6144, 12288}) {
    for (const std::int64_t k : {768, 2048, 4096, 14336}) {
      for (const std::int64_t m : {1, 16, 64, 256, 1024, 4096}) {
        const Gemm call = product(m, n, k);
        samples.push_back({call, round_chip(), call.time(round_chip(), values).total});
      }
    }
  }
  return samples;
}

TEST(Fitting, TimesRoundedToMoreThanThemselvesHardlyCount) {
  const auto call = [](std::int64_t rows) {
    return Elementwise{.ops = "add", .rows = rows, .row_bytes = 24576};
  };
  std::vector<double> values = generic_values(call(1).parameters());
  std::vector<Sample> samples;
  for (std::int64_t rows = 1; rows <= 1 << 20; rows *= 2) {
    const double us = call(rows).time(round_chip(), values).total;
    for (int repeat = 0; repeat < 8; ++repeat)
      samples.push_back({call(rows), round_chip(), std::max(1.0, std::round(us)), 1});
  }
  values = fit_model(samples);
  const double exact = call(1 << 16).time(round_chip(), generic_values(call(1).parameters())).total;
  EXPECT_NEAR(call(1 << 16).time(round_chip(), values).total, exact, 0.02 * exact);
}

TEST(Accuracy, CountsAnIntervalAsMetAsFarAsRoundingTells) {
  const Scored near{.predicted = 3.6, .low = 3.5, .high = 3.7, .measured = 4, .resolution = 1};
  const Scored far{.predicted = 3.2, .low = 3.1, .high = 3.3, .measured = 4, .resolution = 1};
  EXPECT_EQ(accuracy_of({near}).coverage, 100);
  EXPECT_EQ(accuracy_of({far}).coverage, 0);
  EXPECT_NEAR(accuracy_of({near}).mape, 10, 1e-9);  // the error itself is not made smaller
  EXPECT_TRUE(is_coarse(near));
  EXPECT_FALSE(is_coarse({.predicted = 10, .measured = 10, .resolution = 1}));
}

TEST(LeastSquares, FindsWhatResidualsVanishAt) {
  const auto found = least_squares(
      [](const std::vector<double>& x) {
        return std::vector{x[0] - 0.3, 2 * (x[1] - 0.8), x[0] * x[1] - 0.24};
      },
      {0.9, 0.1}, {.scale = 1, .iterations = 100});
  EXPECT_NEAR(found.at[0], 0.3, 1e-3);
  EXPECT_NEAR(found.at[1], 0.8, 1e-3);
}

TEST(LeastSquares, StaysWithinTheCubeAndIsNotDrawnByOneOutlier) {
  const auto median = least_squares(
      [](const std::vector<double>& x) {
        return std::vector{x[0] - 0.4, x[0] - 0.5, x[0] - 0.6, x[0] - 100};
      },
      {0.1}, {.scale = 1e-3, .iterations = 200});
  EXPECT_GE(median.at[0], 0.4);
  EXPECT_LE(median.at[0], 0.65);  // the mean would be at the cube's edge
}

TEST(GemmModel, TakesNoLessThanMemoryOrArithmeticAllows) {
  for (const auto& call : {product(1, 14336, 4096), product(16, 4096, 14336), product(4096, 4096, 4096)}) {
    const double bytes = 2.0 * static_cast<double>(call.n * call.k),
                 work = 2.0 * static_cast<double>(call.m * call.n * call.k);
    EXPECT_GT(generic_time(call), bytes / 4e6) << call.label();
    EXPECT_GT(generic_time(call), work / 1e9) << call.label();
  }
}

TEST(GemmModel, ReadsWeightsOnceForFewTokensAndMultipliesManyAtHighRate) {
  EXPECT_LT(generic_time(product(1, 14336, 4096)), 1.5 * 2 * 14336 * 4096 / 4e6 + 5);
  EXPECT_LT(generic_time(product(8192, 8192, 8192)), 1.5 * 2 * 8192.0 * 8192 * 8192 / 1e9);
}

TEST(FitModel, FindsTimesAgainThatTheModelMade) {
  std::vector<double> truth = generic_values(Gemm{}.parameters());
  truth[0] *= 1.7;   // floor
  truth[5] *= 0.85;  // memory efficiency
  truth[10] *= 0.6;  // split
  const std::vector<Sample> samples = made_by(truth);
  const std::vector<double> found = fit_model(samples);
  for (const Sample& s : samples)
    EXPECT_NEAR(time_of(s.call, s.chip, found).total / s.measured, 1, 0.03) << label_of(s.call);
  EXPECT_NEAR(found[0] / truth[0], 1, 0.1);
}

TEST(FitModel, KeepsParametersWithinWhatPhysicsAllows) {
  std::vector<Sample> samples = made_by(generic_values(Gemm{}.parameters()));
  for (Sample& s : samples) s.measured *= 0.2;  // faster than any memory
  const auto parameters = Gemm{}.parameters();
  const std::vector<double> found = fit_model(samples);
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_GE(found[i], parameters[i].low * (1 - 1e-9)) << parameters[i].name;
    EXPECT_LE(found[i], parameters[i].high * (1 + 1e-9)) << parameters[i].name;
  }
}

TEST(ResidualLayer, CorrectsNearMeasuredCallsAndFadesFarAway) {
  std::vector<Sample> samples = made_by(generic_values(Gemm{}.parameters()));
  const std::vector<double> ratios(samples.size(), 0.2);  // all of them 22 % slower than modelled
  const ResidualLayer layer(samples, ratios);
  ASSERT_TRUE(layer.on());
  EXPECT_NEAR(layer.at(product(64, 4096, 4096)), 0.2, 0.05);
  EXPECT_NEAR(layer.at(product(1LL << 60, 1LL << 60, 1LL << 60)), 0, 0.02);
}

TEST(ResidualLayer, IsOffWhereShapesTellNothingOfEachOther) {
  const std::vector<Sample> samples = made_by(generic_values(Gemm{}.parameters()));
  std::vector<double> ratios;
  for (std::size_t i = 0; i < samples.size(); ++i)  // a chessboard over n and k: neighbours mislead
    ratios.push_back((i / 24 + i / 6) % 2 == 0 ? 0.3 : -0.3);
  const ResidualLayer layer(samples, ratios);
  EXPECT_FALSE(layer.on());
  EXPECT_EQ(layer.at(samples[0].call), 0);
}

TEST(Draw, TakesOneOfEachPartAndAllWhereTheyAreFew) {
  EXPECT_EQ(draw(3, 5), (std::vector<std::size_t>{0, 1, 2}));
  const std::vector<std::size_t> ten = draw(1000, 10);
  for (std::size_t i = 0; i < ten.size(); ++i) EXPECT_EQ(ten[i] / 100, i);
}

/// -1, -0.9, ... 1, each of a shape of its own, `alike` times over.
std::vector<ShapeError> errors_of(std::size_t alike) {
  std::vector<ShapeError> errors;
  for (std::size_t i = 0; i <= 20; ++i) {
    for (std::size_t again = 0; again < alike; ++again)
      errors.push_back({0.1 * static_cast<double>(i) - 1, i});
  }
  return errors;
}

TEST(ErrorRange, EndsAtRanksThatHoldTheNextOfSoManyErrors) {
  const ErrorRange range = error_range(errors_of(1));  // rank 0.05 * 22 = 1.1 of 21
  EXPECT_NEAR(range.low, -0.99, 1e-9);
  EXPECT_NEAR(range.high, 0.99, 1e-9);
}

TEST(ErrorRange, IsWiderWhereErrorsOfAShapeAreAlike) {
  EXPECT_NEAR(independent_errors(errors_of(10)), 21, 1e-9);
  EXPECT_GT(error_range(errors_of(10)).high, 0.95);
  std::vector<ShapeError> apart = errors_of(10);
  for (std::size_t i = 0; i < apart.size(); ++i) apart[i].shape = i % 10;  // shapes alike, not errors of one
  EXPECT_NEAR(independent_errors(apart), 210, 1e-9);
  EXPECT_LT(error_range(apart).high, error_range(errors_of(10)).high);
}

TEST(ErrorRange, OfFewErrorsIsStudents) {
  const ErrorRange range = error_range({{-0.1, 0}, {0, 1}, {0.1, 2}});
  EXPECT_NEAR(range.high, 2.92 * 0.1 * std::sqrt(4.0 / 3), 0.01);  // 2 degrees of freedom
  EXPECT_NEAR(range.low, -range.high, 1e-9);
  EXPECT_EQ(error_range({{0.3, 0}}).high, 0);
}

TEST(Split, KeepsWholeShapesTogether) {
  const std::vector<Sample> samples = made_by(generic_values(Gemm{}.parameters()));
  const std::vector<bool> fitted = fitted_part(samples, 0.2, SplitBy::group, 1);
  for (std::size_t i = 0; i < samples.size(); ++i) EXPECT_EQ(fitted[i], fitted[i / 6 * 6]);
  EXPECT_EQ(std::count(fitted.begin(), fitted.end(), true), 24);  // 4 of 20 shapes, 6 calls each
  EXPECT_NE(fitted, fitted_part(samples, 0.2, SplitBy::group, 2));
  EXPECT_EQ(fitted, fitted_part(samples, 0.2, SplitBy::group, 1));
}

TEST(Validation, ScoresOnlyWhatWasNotFittedAndCoversNineOfTen) {
  std::vector<Sample> samples = made_by(generic_values(Gemm{}.parameters()));
  for (std::size_t i = 0; i < samples.size(); ++i)
    samples[i].measured *= 1 + 0.05 * static_cast<double>(seeded_uniform(7, i));
  const auto all = validate(samples, {.level = Level::calibrated, .fit_on = 0.5});
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].fitted + all[0].calls.size(), samples.size());
  std::vector<Scored> scored;
  for (const ValidatedCall& c : all[0].calls) scored.push_back(c.scored);
  const Accuracy a = accuracy_of(scored);
  EXPECT_LT(a.mape, 5);
  EXPECT_GT(a.coverage, 75);
}

TEST(Accuracy, IsInPercentOfWhatWasMeasured) {
  const Accuracy a = accuracy_of({{11, 9, 12, 10}, {8, 7, 9, 10}, {10, 9, 11, 10}});
  EXPECT_NEAR(a.mape, 10, 1e-9);
  EXPECT_NEAR(a.bias, -10.0 / 3, 1e-9);
  EXPECT_NEAR(a.median_ape, 10, 1e-9);
  EXPECT_NEAR(a.coverage, 200.0 / 3, 1e-9);
}

}  // namespace
}  // namespace inferometer
