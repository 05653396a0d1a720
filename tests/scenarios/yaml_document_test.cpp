#include "scenarios/yaml_document.hpp"

#include <gtest/gtest.h>

#include <array>

#include "model/seeded.hpp"

namespace inferometer {
namespace {

Document parsed(const std::string& text) {
  Result<Document> document = parse_yaml(text, "f");
  EXPECT_TRUE(document) << text << (document ? "" : to_string(document.error()));
  return document ? *document : Document{};
}

std::string place(const Location& l) { return std::to_string(l.line) + ":" + std::to_string(l.column); }

TEST(YamlDocument, KnowsThePlaceOfEveryKeyAndValue) {
  const Document d = parsed("# comment\na: 1\nb:\n  - x\n  - {c:   y}\nd:\n");
  ASSERT_EQ(d.mapping.size(), 3U);
  EXPECT_EQ(place(d.mapping[0].key_where), "2:1");
  EXPECT_EQ(place(d.mapping[0].value.where), "2:4");
  const Document& list = d.mapping[1].value;
  ASSERT_EQ(list.sequence.size(), 2U);
  EXPECT_EQ(place(list.sequence[0].where), "4:5");
  EXPECT_EQ(place(list.sequence[1].mapping[0].key_where), "5:6");
  EXPECT_EQ(place(list.sequence[1].mapping[0].value.where), "5:11");
  EXPECT_EQ(d.mapping[2].value.kind, Document::Kind::null);
  EXPECT_EQ(d.mapping[2].value.where.line, 6);
}

TEST(YamlDocument, KeepsTheSpellingOfScalars) {
  for (const char* text :
       {"010", "1e3", "0x10", "yes", "no", "1_000", ".inf", "True", "12:30:45", "4.8 TB/s"}) {
    const Document d = parsed("a: " + std::string{text} + "\n");
    EXPECT_EQ(d.mapping[0].value.scalar, text);
    EXPECT_FALSE(d.mapping[0].value.quoted);
  }
  EXPECT_TRUE(parsed("a: '010'\n").mapping[0].value.quoted);
  EXPECT_TRUE(parsed("a: \"\"\n").mapping[0].value.quoted);
  EXPECT_EQ(parsed("a: \"\"\n").mapping[0].value.kind, Document::Kind::scalar);
  EXPECT_EQ(parsed("a: ~\n").mapping[0].value.kind, Document::Kind::null);
  EXPECT_EQ(parsed("a: \"\\u00e9\"\n").mapping[0].value.scalar, "\xc3\xa9");
  EXPECT_EQ(parsed("\xef\xbb\xbf"
                   "a: |\n  one\n  two\n")
                .mapping[0]
                .value.scalar,
            "one\ntwo\n");
  EXPECT_EQ(parsed("a: b\r\nc: d\r\n").mapping[1].value.scalar, "d");
}

/// Random bytes and mutations of texts that use all of the grammar: whatever comes back, nothing crashes, and
/// each mistake has its place. (Debian builds the library with its assertions.)
TEST(YamlDocument, SurvivesRandomTexts) {
  const std::array<std::string, 4> seeds{
      "name: q\nworkload: {batch: 1, prompt: [1, 2, 3]}\nvariants:\n  - name: a\n    set: {x.y: 9}\n",
      "a: |\n  text\nb: >-\n  folded\nc: 'it''s'\nd: \"\\x41 \\u263a\"\n? complex\n: value\n",
      "%YAML 1.2\n%TAG ! tag:x,2000:\n---\n&a x: *a\n<<: *a\ny: !!int 5\nz: !<verb> 4\n...\n---\n2\n",
      "[[{a: [b, {c: d}]}, ? x : y, ? , : ]]\n# comment\n{a, b: , ? c}\n"};
  const std::string alphabet = "[]{}:,?-&*!|>'\"%@`#~<= \n\n\t\r.0a1\\xu\xc3\xa9";
  std::uint64_t state = 7;
  const auto draw = [&](std::size_t below) { return static_cast<std::size_t>((state = mix(state)) % below); };
  for (int i = 0; i < 2000; ++i) {
    std::string text;
    if (draw(3) == 0) {
      for (std::size_t n = draw(60); n > 0; --n) text += alphabet[draw(alphabet.size())];
    } else {
      text = seeds[draw(seeds.size())];
      for (std::size_t n = 1 + draw(8); n > 0 && !text.empty(); --n) {
        const std::size_t at = draw(text.size());
        switch (draw(4)) {
          case 0:
            text[at] = alphabet[draw(alphabet.size())];
            break;
          case 1:
            text.insert(at, 1, alphabet[draw(alphabet.size())]);
            break;
          case 2:
            text.erase(at, 1 + draw(4));
            break;
          default:
            text.insert(draw(text.size()), text.substr(at, draw(20)));
        }
      }
    }
    const Result<Document> document = parse_yaml(text, "f");
    if (document) continue;
    ASSERT_FALSE(document.error().empty()) << text;
    for (const Error& e : document.error()) EXPECT_TRUE(e.where.line > 0 && e.where.column > 0) << text;
  }
}

}  // namespace
}  // namespace inferometer
