#include "model/document.hpp"

#include <gtest/gtest.h>

namespace inferometer {
namespace {

using Kind = Document::Kind;

std::string error_of(std::string_view text) {
  const Result<Document> document = parse_json(text, "f.json");
  return document ? "no error\n" : to_string(document.error());
}

std::string nested(std::size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); }

TEST(Json, KeepsThePlaceOfEachKeyAndValue) {
  const auto d = parse_json("{\n  \"a\": 1,\n  \"b\" : [true,\n null]\n}\n", "f.json");
  ASSERT_TRUE(d) << to_string(d.error());
  ASSERT_EQ(d->kind, Kind::mapping);
  ASSERT_EQ(d->mapping.size(), 2u);
  const Document::Entry &a = d->mapping[0], &b = d->mapping[1];
  EXPECT_EQ(a.key_where.line, 2);
  EXPECT_EQ(a.key_where.column, 3);
  EXPECT_EQ(a.value.where.line, 2);
  EXPECT_EQ(a.value.where.column, 8);
  EXPECT_EQ(a.value.where.file, "f.json");
  EXPECT_EQ(b.value.where.column, 9);
  EXPECT_EQ(b.value.sequence[0].where.column, 10);
  EXPECT_EQ(b.value.sequence[1].where.line, 4);
  EXPECT_EQ(b.value.sequence[1].where.column, 2);
  EXPECT_EQ(b.value.sequence[1].kind, Kind::null);
}

TEST(Json, KeepsTheSpellingOfScalars) {
  const auto d = parse_json(R"([10, "10", -0.5e+3, true, "null", null])", "f.json");
  ASSERT_TRUE(d) << to_string(d.error());
  EXPECT_EQ(d->sequence[0].scalar, "10");
  EXPECT_FALSE(d->sequence[0].quoted);
  EXPECT_TRUE(d->sequence[1].quoted);
  EXPECT_EQ(d->sequence[2].scalar, "-0.5e+3");
  EXPECT_EQ(d->sequence[3].scalar, "true");
  EXPECT_EQ(d->sequence[4].kind, Kind::scalar);
  EXPECT_EQ(d->sequence[5].kind, Kind::null);
}

TEST(Json, DecodesEscapes) {
  const auto d = parse_json(R"(["\"\\\/\b\f\n\r\t", "\u0041\u00e9\u20AC\ud83d\ude00", "é"])", "f.json");
  ASSERT_TRUE(d) << to_string(d.error());
  EXPECT_EQ(d->sequence[0].scalar, "\"\\/\b\f\n\r\t");
  EXPECT_EQ(d->sequence[1].scalar, "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  EXPECT_EQ(d->sequence[2].scalar, "\xC3\xA9");
}

TEST(Json, CountsColumnsInCharacters) {
  EXPECT_EQ(error_of("[\"é€\", x]"), "f.json:1:8: error: \"x\" is not a JSON value\n");
}

TEST(Json, NestsSixtyFourLevelsAndNoDeeper) {
  EXPECT_TRUE(parse_json(nested(64), "f.json"));
  EXPECT_EQ(error_of(nested(65)), "f.json:1:65: error: nested deeper than 64 levels\n");
  EXPECT_EQ(error_of(std::string(1'000'000, '[')), "f.json:1:65: error: nested deeper than 64 levels\n");
}

TEST(Json, RefusesHugeText) {
  EXPECT_EQ(error_of(std::string((16u << 20) + 1, ' ')),
            "f.json:1:1: error: the text is larger than 16 MiB\n");
}

struct Malformed {
  std::string_view text, error;
};
class MalformedJson : public ::testing::TestWithParam<Malformed> {};
TEST_P(MalformedJson, IsToldWhereItIs) {
  EXPECT_EQ(error_of(GetParam().text), std::string{GetParam().error} + "\n");
}

INSTANTIATE_TEST_SUITE_P(
    Table, MalformedJson,
    ::testing::Values(
        Malformed{"", "f.json:1:1: error: the text ends where a value is needed"},
        Malformed{" \n ", "f.json:2:2: error: the text ends where a value is needed"},
        Malformed{"{} {}", "f.json:1:4: error: text after the end of the JSON value"},
        Malformed{"\xEF\xBB\xBF{}",
                  "f.json:1:1: error: the text begins with a byte order mark; JSON has none"},
        Malformed{"{\"a\": 1,\n \"b\": 2,\n \"a\": 3}",
                  "f.json:3:2: error: repeated key \"a\"; first at line 1"},
        Malformed{"{\"a\": 1, \"\\u0061\": 2}", "f.json:1:10: error: repeated key \"a\"; first at line 1"},
        Malformed{"{\"a\": NaN}", "f.json:1:7: error: \"NaN\" is not a JSON value"},
        Malformed{"[-Infinity]", "f.json:1:2: error: \"-Infinity\" is not a JSON value"},
        Malformed{"[010]", "f.json:1:2: error: \"010\" is not a JSON value"},
        Malformed{"[0x10]", "f.json:1:2: error: \"0x10\" is not a JSON value"},
        Malformed{"[1.]", "f.json:1:2: error: \"1.\" is not a JSON value"},
        Malformed{"[.5]", "f.json:1:2: error: \".5\" is not a JSON value"},
        Malformed{"[+1]", "f.json:1:2: error: \"+1\" is not a JSON value"},
        Malformed{"[1e]", "f.json:1:2: error: \"1e\" is not a JSON value"},
        Malformed{"[True]", "f.json:1:2: error: \"True\" is not a JSON value"},
        Malformed{"['a']", "f.json:1:2: error: \"'a'\" is not a JSON value"},
        Malformed{"[1, // one\n2]", "f.json:1:5: error: \"//\" is not a JSON value"},
        Malformed{"[1, ]", "f.json:1:5: error: a value is needed"},
        Malformed{"[1 2]", "f.json:1:4: error: ',' or ']' is needed"},
        Malformed{"[1", "f.json:1:3: error: the text ends where ',' or ']' is needed"},
        Malformed{"{\"a\": 1,}", "f.json:1:9: error: a key in double quotes is needed"},
        Malformed{"{a: 1}", "f.json:1:2: error: a key in double quotes is needed"},
        Malformed{"{\"a\" 1}", "f.json:1:6: error: ':' after the key \"a\" is needed"},
        Malformed{"{\"a\":", "f.json:1:6: error: the text ends where a value is needed"},
        Malformed{"{\"a\": 1", "f.json:1:8: error: the text ends where ',' or '}' is needed"},
        Malformed{"{\"a", "f.json:1:4: error: the text ends inside a string"},
        Malformed{"[\"a\nb\"]", "f.json:1:4: error: a control character inside a string"},
        Malformed{"[\"\\x\"]", "f.json:1:4: error: an unknown escape in a string"},
        Malformed{"[\"\\u12g4\"]", "f.json:1:7: error: \\u needs four hexadecimal digits"},
        Malformed{"[\"\\ud800\"]", "f.json:1:9: error: half of a surrogate pair"},
        Malformed{"[\"\\udc00\"]", "f.json:1:9: error: half of a surrogate pair"},
        Malformed{"[\"\xFF\"]", "f.json:1:3: error: bytes inside a string that are not UTF-8"},
        Malformed{"[\"\xC0\xAF\"]", "f.json:1:3: error: bytes inside a string that are not UTF-8"},
        Malformed{"[\"\xED\xA0\x80\"]", "f.json:1:3: error: bytes inside a string that are not UTF-8"},
        Malformed{"[\xFF\x01]", "f.json:1:2: error: \"??\" is not a JSON value"},
        Malformed{std::string_view{"[\0]", 3}, "f.json:1:2: error: \"?\" is not a JSON value"}));

/// Every text is a document or an error at a place, never a crash.
void parse_anything(std::string_view text) {
  const Result<Document> d = parse_json(text, "f.json");
  if (d) return;
  ASSERT_EQ(d.error().size(), 1u);
  EXPECT_GE(d.error()[0].where.line, 1);
  EXPECT_GE(d.error()[0].where.column, 1);
}

TEST(Json, SurvivesTruncationAndRandomBytes) {
  const std::string text = R"({"a": [1, -2.5e3, "x\u00e9\n"], "b": {"c": null, "d": [true, false, {}]}})";
  for (std::size_t n = 0; n <= text.size(); ++n) parse_anything(std::string_view{text}.substr(0, n));
  std::uint64_t state = 1;
  const auto random = [&] {
    return state = state * 6364136223846793005u + 1442695040888963407u, state >> 33;
  };
  for (int round = 0; round < 20'000; ++round) {
    std::string changed = text;
    for (std::uint64_t k = random() % 4 + 1; k > 0; --k) {
      changed[random() % changed.size()] =
          random() % 2 ? static_cast<char>(random()) : text[random() % text.size()];
    }
    parse_anything(changed);
    parse_anything(std::string_view{changed}.substr(random() % changed.size()));
  }
}

TEST(InQuotes, IsFitForAMessage) {
  EXPECT_EQ(in_quotes("a\nb\x7F\xFFé"), "\"a?b??é\"");
  EXPECT_EQ(in_quotes(std::string(70, 'x')), "\"" + std::string(60, 'x') + "...\"");
  EXPECT_EQ(in_quotes(std::string(59, 'x') + "éé"), "\"" + std::string(59, 'x') + "é...\"");
}

}  // namespace
}  // namespace inferometer
