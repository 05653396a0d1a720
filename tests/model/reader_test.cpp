#include "model/reader.hpp"

#include <gtest/gtest.h>

namespace inferometer {
namespace {

/// A document of one value as YAML would give it: unquoted text.
Document plain(std::string text) {
  return {.kind = Document::Kind::scalar, .scalar = std::move(text), .where = {"f.yaml", 2, 7}};
}
template <class T>
std::string error_of(std::string text) {
  const Result<T> value = parse_value<T>(plain(std::move(text)));
  return value ? "no error" : value.error().front().message;
}
template <class T>
T value_of(std::string text) {
  const Result<T> value = parse_value<T>(plain(std::move(text)));
  EXPECT_TRUE(value) << value.error().front().message;
  return value ? *value : T{};
}

struct Read {
  Document document;
  Errors errors;
  explicit Read(std::string_view json) : document(*parse_json(json, "f.json")) {}
  Reader reader(std::string path = "workload") { return {document, std::move(path), errors}; }
  std::string told() const { return to_string(errors); }
};

TEST(Quantities, CarryTheirUnit) {
  EXPECT_EQ(value_of<Bytes>("80 GiB"), Bytes{80LL << 30});
  EXPECT_EQ(value_of<Bytes>("80 GB"), Bytes{80'000'000'000});
  EXPECT_EQ(value_of<Bytes>("143771 MiB"), Bytes{143'771LL * 1'048'576});
  EXPECT_EQ(value_of<Bytes>("80GiB"), Bytes{80LL << 30});
  EXPECT_EQ(value_of<BytesPerSecond>("4.8 TB/s"), BytesPerSecond{4.8e12});
  EXPECT_EQ(value_of<FlopsPerSecond>("989 TFLOP/s"), FlopsPerSecond{989e12});
  EXPECT_EQ(value_of<Hertz>("1.83 GHz"), Hertz{1.83e9});
  EXPECT_EQ(value_of<Watts>("700 W"), Watts{700});
  EXPECT_EQ(value_of<DollarsPerHour>("2.5 $/h"), DollarsPerHour{2.5});
  EXPECT_DOUBLE_EQ(value_of<Seconds>("3 us").count(), 3e-6);
  EXPECT_DOUBLE_EQ(value_of<Seconds>("10 ms").count(), 1e-2);
}

TEST(Quantities, OfWholeBytesAreExact) {
  EXPECT_EQ(value_of<Bytes>("9007199254740993 B"), Bytes{9'007'199'254'740'993});
  EXPECT_EQ(value_of<Bytes>("9223372036854775807 B"), Bytes{9'223'372'036'854'775'807});
  EXPECT_EQ(value_of<Bytes>("1.5 KiB"), Bytes{1536});
  EXPECT_EQ(value_of<Bytes>("0.3 KiB"), Bytes{307});
  EXPECT_EQ(error_of<Bytes>("1.5 B"), "\"1.5 B\" is not a whole number of bytes");
}

TEST(Quantities, OfAnotherDimensionAreToldAsSuch) {
  EXPECT_EQ(error_of<BytesPerSecond>("4.8 TB"),
            "\"4.8 TB\" is a size; a rate is needed, such as \"4.8 TB/s\"");
  EXPECT_EQ(error_of<Bytes>("4.8 TB/s"), "\"4.8 TB/s\" is a rate; a size is needed, such as \"80 GiB\"");
  EXPECT_EQ(error_of<Hertz>("700 W"), "\"700 W\" is a power; a frequency is needed, such as \"1.83 GHz\"");
  EXPECT_EQ(error_of<FlopsPerSecond>("1 GHz"),
            "\"1 GHz\" is a frequency; a speed is needed, such as \"989 TFLOP/s\"");
}

TEST(Quantities, WithoutUnitSayWhichArePossible) {
  EXPECT_EQ(error_of<Seconds>("3"), "\"3\" has no unit (ns, us, ms, s); a time is needed, such as \"3 us\"");
  EXPECT_EQ(
      error_of<Bytes>("80"),
      "\"80\" has no unit (B, kB, MB, GB, TB, KiB, MiB, GiB, TiB); a size is needed, such as \"80 GiB\"");
}

TEST(Quantities, SuggestTheNearestUnit) {
  EXPECT_EQ(error_of<FlopsPerSecond>("989 TFLOPS"),
            "\"989 TFLOPS\" has the unknown unit \"TFLOPS\"; did you mean \"TFLOP/s\"?");
  EXPECT_EQ(error_of<BytesPerSecond>("25 GBps"),
            "\"25 GBps\" has the unknown unit \"GBps\"; did you mean \"GB/s\"?");
  EXPECT_EQ(error_of<Hertz>("1 ghz"), "\"1 ghz\" has the unknown unit \"ghz\"; did you mean \"GHz\"?");
  EXPECT_EQ(error_of<DollarsPerHour>("700 W"),
            "\"700 W\" is a power; a price is needed, such as \"2.5 $/h\"");
  EXPECT_EQ(error_of<Watts>("1 horsepower"),
            "\"1 horsepower\" has the unknown unit \"horsepower\"; a power is needed, such as \"700 W\"");
}

TEST(Quantities, RefuseBits) {
  for (const char* unit : {"Gb/s", "Gbit/s", "Gbps", "Tbits/s"}) {
    EXPECT_EQ(error_of<BytesPerSecond>("400 " + std::string{unit}),
              "\"400 " + std::string{unit} + "\" counts bits; a rate is needed, such as \"4.8 TB/s\"");
  }
  EXPECT_EQ(error_of<Bytes>("8 Gibit"), "\"8 Gibit\" counts bits; a size is needed, such as \"80 GiB\"");
  EXPECT_EQ(error_of<Bytes>("8 b"), "\"8 b\" counts bits; a size is needed, such as \"80 GiB\"");
}

TEST(Quantities, RefuseWhatIsNoSensibleNumber) {
  EXPECT_EQ(error_of<Bytes>("-1 GB"), "\"-1 GB\" is negative");
  EXPECT_EQ(error_of<Seconds>("-0.5 s"), "\"-0.5 s\" is negative");
  EXPECT_EQ(error_of<Bytes>("9000000000 GB"), "no error");
  EXPECT_EQ(error_of<Bytes>("9300000000 GB"), "\"9300000000 GB\" is too large");
  EXPECT_EQ(error_of<Bytes>("1e300 GB"), "\"1e300 GB\" is too large");
  EXPECT_EQ(error_of<BytesPerSecond>("1e300 TB/s"), "\"1e300 TB/s\" is too large");
  EXPECT_EQ(error_of<Watts>("1e999 W"), "\"1e999\" is too large or too small");
  EXPECT_EQ(error_of<Watts>("inf W"),
            "\"inf W\" is not a number with a unit; a power is needed, such as \"700 W\"");
  EXPECT_EQ(error_of<Watts>("nan W"),
            "\"nan W\" is not a number with a unit; a power is needed, such as \"700 W\"");
  EXPECT_EQ(error_of<Watts>("010 W"),
            "\"010 W\" is not a number with a unit; a power is needed, such as \"700 W\"");
}

TEST(Numbers, AreWrittenPlainly) {
  EXPECT_EQ(value_of<std::int64_t>("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(value_of<double>("1e-6"), 1e-6);
  EXPECT_EQ(error_of<std::int64_t>("010"), "\"010\" begins with 0, which could be octal; leave the 0 out");
  EXPECT_EQ(error_of<std::int64_t>("1e3"), "\"1e3\" is not a whole number in plain digits");
  EXPECT_EQ(error_of<std::int64_t>("0x10"), "\"0x10\" is not a whole number in plain digits");
  EXPECT_EQ(error_of<std::int64_t>("1.0"), "\"1.0\" is not a whole number in plain digits");
  EXPECT_EQ(error_of<std::int64_t>("9223372036854775808"), "\"9223372036854775808\" does not fit 64 bits");
  EXPECT_EQ(error_of<double>("1.5x"), "\"1.5x\" is not a plain number");
  EXPECT_EQ(error_of<double>(".inf"), "\".inf\" is not a plain number");
  EXPECT_EQ(error_of<double>("1e999"), "\"1e999\" is too large or too small");
  EXPECT_EQ(error_of<bool>("yes"), "\"yes\" is not true or false");
  EXPECT_EQ(error_of<DType>("bf17"),
            "\"bf17\" is not a dtype; expected one of f32, bf16, f16, fp8, int8, int4, mxfp4, nvfp4, i32");
}

TEST(Reader, TellsAllMistakesAtOnceInTheirOrder) {
  Read read("{\n \"promt_tokens\": 3,\n \"batch\": \"2\",\n \"output_tokens\": [1]\n}");
  Reader in = read.reader();
  EXPECT_EQ(in.required<std::int64_t>("batch"), 0);
  EXPECT_EQ(in.required<std::int64_t>("prompt_tokens"), 0);
  EXPECT_EQ(in.optional<std::int64_t>("output_tokens", 16), 0);
  in.reject_unknown_keys();
  EXPECT_EQ(read.told(),
            "f.json:1:1: error: workload: missing key \"prompt_tokens\"\n"
            "f.json:2:2: error: workload: unknown key \"promt_tokens\"; did you mean \"prompt_tokens\"?\n"
            "f.json:3:11: error: workload.batch: \"2\" is text; a whole number is needed\n"
            "f.json:4:19: error: workload.output_tokens: is a list; a whole number is needed\n");
}

TEST(Reader, NamesTheItemOfAListThatIsWrong) {
  Read read(R"({"sizes": [1, "x", 3], "names": "a"})");
  Reader in = read.reader("");
  EXPECT_EQ(in.list<std::int64_t>("sizes"), (std::vector<std::int64_t>{1, 3}));
  EXPECT_TRUE(in.list<std::string>("names")->empty());
  EXPECT_FALSE(in.list<double>("absent"));
  EXPECT_EQ(read.told(),
            "f.json:1:15: error: sizes[1]: \"x\" is text; a whole number is needed\n"
            "f.json:1:33: error: names: a list is needed\n");
}

TEST(Reader, ReadsNestedMappingsAndTellsAMissingOneOnce) {
  Read read(R"({"device": {"memory_bandwidth": "4.8 TB"}, "plan": 3})");
  Reader in = read.reader("");
  in.required_mapping("device").required<BytesPerSecond>("memory_bandwidth");
  in.required_mapping("plan").required<bool>("graphs");
  Reader missing = in.required_mapping("model");
  EXPECT_EQ(missing.required<double>("size"), 0);
  missing.reject_unknown_keys();
  EXPECT_FALSE(in.maybe_mapping("engine"));
  EXPECT_EQ(read.told(),
            "f.json:1:1: error: missing key \"model\"\n"
            "f.json:1:33: error: device.memory_bandwidth: \"4.8 TB\" is a size; a rate is needed, such as "
            "\"4.8 TB/s\"\n"
            "f.json:1:52: error: plan: a mapping of keys to values is needed\n");
}

TEST(Reader, TakesAbsentKeysAsTheyAreMeant) {
  Read read(R"({"seen": null})");
  Reader in = read.reader();
  EXPECT_FALSE(in.maybe<double>("absent"));
  EXPECT_EQ(in.optional<double>("absent", 2.5), 2.5);
  EXPECT_TRUE(in.has("seen"));
  EXPECT_EQ(in.keys(), std::vector<std::string>{"seen"});
  EXPECT_TRUE(read.errors.empty());
  in.maybe<double>("seen");
  EXPECT_EQ(read.told(), "f.json:1:10: error: workload.seen: is empty; a number is needed\n");
}

TEST(Reader, StopsTellingUnknownKeysAfterFifty) {
  std::string json = "{";
  for (int i = 0; i < 60; ++i) json += "\"x" + std::to_string(i) + "\": 1,\n";
  Read read(json + "\"y\": 1}");
  read.reader("").reject_unknown_keys();
  ASSERT_EQ(read.errors.size(), 51u);
  EXPECT_EQ(to_string(read.errors.back()), "f.json:51:1: error: more unknown keys");
}

TEST(Nearest, IsEmptyWhereNothingIsNear) {
  EXPECT_EQ(nearest("batc", {"batch", "patch"}), "batch");
  EXPECT_EQ(nearest("colour", {"batch", "patch"}), "");
  EXPECT_EQ(nearest("", {}), "");
}

}  // namespace
}  // namespace inferometer
