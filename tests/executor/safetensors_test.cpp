#include "executor/weights/safetensors.hpp"

#include <gtest/gtest.h>

#include "executor/weights/checkpoint.hpp"
#include "tests/executor/safetensors_files.hpp"

namespace inferometer {
namespace {

const std::string good =
    R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[1],"data_offsets":[16,20]}})";

TEST(Safetensors, ReadsWhatWasWritten) {
  const TemporaryFolder folder;
  const auto file = SafetensorsFile::open(folder.write("w.safetensors", safetensors(good, {1, 2, 3, 4, 5})));
  ASSERT_TRUE(file) << to_string(file.error());
  ASSERT_EQ(file->tensors.size(), 2U);
  EXPECT_EQ(file->tensors.at("a").shape, (std::vector<std::int64_t>{2, 2}));
  EXPECT_EQ(file->tensors.at("a").at(3), 4);
  EXPECT_EQ(file->tensors.at("b").at(0), 5);
}

TEST(Safetensors, HalfPrecisionsAreReadExactly) {
  const TemporaryFolder folder;
  const std::string header =
      R"({"h":{"dtype":"F16","shape":[4],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[8,12]}})";
  std::string bytes = safetensors(header, {0, 0, 0});
  const std::uint16_t halves[] = {0x3c00, 0xc000, 0x0001, 0x7bff, 0x3f80, 0xc040};
  std::memcpy(bytes.data() + 8 + header.size(), halves, sizeof halves);
  const auto file = SafetensorsFile::open(folder.write("w.safetensors", bytes));
  ASSERT_TRUE(file) << to_string(file.error());
  const StoredTensor& h = file->tensors.at("h");
  EXPECT_EQ(h.at(0), 1);
  EXPECT_EQ(h.at(1), -2);
  EXPECT_EQ(h.at(2), 0x1p-24F);
  EXPECT_EQ(h.at(3), 65504);
  EXPECT_EQ(file->tensors.at("b").at(0), 1);
  EXPECT_EQ(file->tensors.at("b").at(1), -3);
}

struct Bad {
  const char* what;
  std::string bytes, told;  ///< behind "FILE"
};

std::string one(const std::string& entry) { return safetensors("{\"a\":" + entry + "}", {1, 2, 3, 4}); }

TEST(Safetensors, MistakesAreToldWithPlaces) {
  const std::string tail = std::string(8, '\0');
  const std::vector<Bad> all{
      {"empty", "", ": error: is too short for a safetensors file (8 bytes say how long its header is)\n"},
      {"short", "abc", ": error: is too short for a safetensors file (8 bytes say how long its header is)\n"},
      {"header beyond the end", std::string("\x40\0\0\0\0\0\0\0{}", 10),
       ": error: says that its header has 64 bytes, but only 2 follow\n"},
      {"huge header", std::string(8, '\xff') + "{}",
       ": error: says that its header has 18446744073709551615 bytes, but only 2 follow\n"},
      {"not a mapping", safetensors("[]", {}),
       ":1:1: error: the header is not a mapping of names to tensors\n"},
      {"unknown dtype", one(R"({"dtype":"F33","shape":[4],"data_offsets":[0,16]})"),
       ":1:15: error: a.dtype: \"F33\" is not a dtype of safetensors\n"},
      {"size and offsets disagree", one(R"({"dtype":"F32","shape":[5],"data_offsets":[0,16]})"),
       ":1:48: error: a.data_offsets: span 16 bytes, but F32 of this shape takes 20\n"},
      {"backward offsets", one(R"({"dtype":"F32","shape":[4],"data_offsets":[16,0]})"),
       ":1:48: error: a.data_offsets: must be [begin, end] with 0 <= begin <= end\n"},
      {"three offsets", one(R"({"dtype":"F32","shape":[4],"data_offsets":[0,8,16]})"),
       ":1:48: error: a.data_offsets: must be [begin, end] with 0 <= begin <= end\n"},
      {"overflowing shape", one(R"({"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,16]})"),
       ":1:68: error: a.data_offsets: span 16 bytes, but F32 of this shape takes too many\n"},
      {"negative extent", one(R"({"dtype":"F32","shape":[-4],"data_offsets":[0,16]})"),
       ":1:49: error: a.data_offsets: span 16 bytes, but F32 of this shape takes too many\n"},
      {"beyond the file",
       safetensors(R"({"a":{"dtype":"F32","shape":[8],"data_offsets":[0,32]}})", {1, 2, 3, 4}),
       ": error: the header describes 32 bytes of values, but the file has 16\n"},
      {"bytes left over",
       safetensors(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", {1, 2, 3, 4}),
       ": error: the header describes 8 bytes of values, but the file has 16\n"},
      {"gap", safetensors(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[4,16]}})", {1, 2, 3, 4}),
       ":1:6: error: \"a\" leaves a gap behind the tensor before it: it begins at byte 4, expected 0\n"},
      {"overlap",
       safetensors(
           R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})",
           {1, 2, 3, 4}),
       ":1:60: error: \"b\" overlaps the tensor before it: it begins at byte 8, expected 12\n"},
      {"unknown key", one(R"({"dtype":"F32","shape":[4],"data_offsets":[0,16],"shap":1})"),
       ":1:55: error: a: unknown key \"shap\"; did you mean \"shape\"?\n"},
  };
  const TemporaryFolder folder;
  for (const Bad& bad : all) {
    const std::filesystem::path path = folder.write("w.safetensors", bad.bytes);
    const auto file = SafetensorsFile::open(path);
    ASSERT_FALSE(file) << bad.what;
    EXPECT_EQ(to_string(file.error()), path.string() + bad.told) << bad.what;
  }
}

TEST(Safetensors, NotJsonAndRepeatedNamesAreTold) {
  const TemporaryFolder folder;
  for (const std::string header : {"{", "{\"a\":1", "{\"a\":1,\"a\":2}", "\xff", "{} {}", ""}) {
    EXPECT_FALSE(SafetensorsFile::open(folder.write("w.safetensors", safetensors(header, {}))));
  }
  EXPECT_FALSE(SafetensorsFile::open(folder.path()));
  EXPECT_FALSE(SafetensorsFile::open(folder.path() / "none"));
}

std::string opened(const std::filesystem::path& path) {
  const auto checkpoint = Checkpoint::open(path);
  return checkpoint ? "opened" : to_string(checkpoint.error());
}

TEST(Checkpoint, MistakesOfAnIndexAreTold) {
  const TemporaryFolder folder;
  const std::string at = folder.path().string();
  EXPECT_EQ(opened(folder.path()),
            at + ": error: holds neither model.safetensors nor model.safetensors.index.json\n");
  const auto index = [&](const std::string& text) {
    return opened(folder.write("model.safetensors.index.json", text));
  };
  const std::string file = at + "/model.safetensors.index.json";
  EXPECT_EQ(index("{}"), file + ":1:1: error: weight_map: a mapping of tensors to files is needed\n");
  EXPECT_EQ(index(R"({"weight_map":{"a":"../x"}})"),
            file + ":1:20: error: weight_map: the name of a file beside the index is needed\n");
  EXPECT_EQ(index(R"({"weight_map":{"a":"none.safetensors"}})"),
            at + "/none.safetensors: error: cannot open: No such file or directory\n");
  folder.write("one.safetensors", safetensors(good, {1, 2, 3, 4, 5}));
  EXPECT_EQ(index(R"({"weight_map":{"a":"one.safetensors","b":"one.safetensors"}})"), "opened");
  EXPECT_EQ(index(R"({"weight_map":{"c":"one.safetensors"}})"),
            file + ":1:16: error: \"c\" is not in one.safetensors\n");
  folder.write("two.safetensors", safetensors(good, {1, 2, 3, 4, 5}));
  EXPECT_EQ(index(R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})"),
            at + "/two.safetensors: error: \"a\" is in an earlier shard too\n" + at +
                "/two.safetensors: error: \"b\" is in an earlier shard too\n");
}

TEST(Checkpoint, SaysWhatANetworkMisses) {
  const TemporaryFolder folder;
  const auto checkpoint = Checkpoint::open(folder.write("w.safetensors", safetensors(good, {1, 2, 3, 4, 5})));
  ASSERT_TRUE(checkpoint);
  Structure s;
  s.weights.push_back({"w", 1, 2, 3, {DType::f32}, {{.tensor = "a", .rows = 2}}});
  s.weights.push_back({"v", 1, 1, 4, {DType::f32}, {{.tensor = "c", .rows = 4}}});
  const std::string file = (folder.path() / "w.safetensors").string();
  EXPECT_EQ(to_string(checkpoint->check(s)),
            file + ": error: \"a\" has the shape [2, 2], the network needs [2, 3]\n" + file +
                ": error: no tensor \"c\"\n");
}

}  // namespace
}  // namespace inferometer
