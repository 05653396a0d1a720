#include "traffic/numbers.hpp"

#include <gtest/gtest.h>

namespace inferometer {
namespace {

TEST(ScaledNumber, KeepsEveryDigitOfSecondsSinceTheEpoch) {
  EXPECT_EQ(parse_scaled("1700158546.680590012", 1'000'000'000), 1'700'158'546'680'590'012);
  EXPECT_EQ(parse_scaled("1700158546680590013", 1), 1'700'158'546'680'590'013);
}

TEST(ScaledNumber, RoundsToTheNearest) {
  EXPECT_EQ(parse_scaled("0.4", 1), 0);
  EXPECT_EQ(parse_scaled("0.5", 1), 1);
  EXPECT_EQ(parse_scaled("46.927", 1'000'000), 46'927'000);
  EXPECT_EQ(parse_scaled("0.9999999996", 1'000'000'000), 1'000'000'000);
  EXPECT_EQ(parse_scaled("1.5e3", 1'000), 1'500'000);
}

TEST(ScaledNumber, IsNoneForOtherTextAndOutOfRange) {
  for (const char* text :
       {"", "-1", "1x", "1.2.3", "nan", "inf", "1e99", "9000000000000000000", "0x10", " 1"})
    EXPECT_FALSE(parse_scaled(text, 1)) << text;
  EXPECT_FALSE(parse_scaled("8000000001", 1'000'000'000));
}

TEST(Timestamp, CountsNanosecondsSinceTheEpoch) {
  EXPECT_EQ(parse_timestamp("1970-01-02 00:00:00"), 86'400'000'000'000);
  EXPECT_EQ(parse_timestamp("2023-11-16 18:15:46.6805900"), 1'700'158'546'680'590'000);
  EXPECT_EQ(parse_timestamp("2024-05-10T00:00:00.009930+00:00"), 1'715'299'200'009'930'000);
}

TEST(Timestamp, CountsTheZone) {
  EXPECT_EQ(parse_timestamp("2024-05-10 02:00:00+02:00"), parse_timestamp("2024-05-10 00:00:00Z"));
  EXPECT_EQ(parse_timestamp("2024-05-09 19:30:00-0430"), parse_timestamp("2024-05-10 00:00:00"));
}

TEST(Timestamp, IsNoneForWhatIsNotInTheCalendar) {
  for (const char* text :
       {"", "2023-11-16", "2023-02-29 00:00:00", "2023-13-01 00:00:00", "2023-11-31 00:00:00",
        "2023-11-16 24:00:00", "2023-11-16 18:60:00", "2023/11/16 18:15:46", "9999-01-01 00:00:00",
        "-023-01-01 00:00:00", "2023-11-16 18:15:46 PST", "2023-11-16 18:15:46+2"})
    EXPECT_FALSE(parse_timestamp(text)) << text;
}

}  // namespace
}  // namespace inferometer
