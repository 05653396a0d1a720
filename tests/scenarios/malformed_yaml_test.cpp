#include <gtest/gtest.h>

#include "scenarios/yaml_document.hpp"

namespace inferometer {
namespace {

using namespace std::string_literals;

/// A text that is no YAML one can read, and all that is told about it.
struct Malformed {
  std::string text, told;
};

const std::vector<Malformed> table{
    {"", "f:1:1: error: the file is empty\n"},
    {"# only a comment\n", "f:1:1: error: the file is empty\n"},
    {"a: 1\na: 2\n", "f:2:1: error: repeated key \"a\"; first at line 1\n"},
    {"x: {a: 1, a: 2}\ny:\n  b: 1\n  b: 2\n",
     "f:1:11: error: repeated key \"a\"; first at line 1\nf:4:3: error: repeated key \"b\"; first at line "
     "3\n"},
    {"a: &x 1\nb: *x\n",
     "f:1:4: error: anchors (&) are not read; write the value out\n"
     "f:2:4: error: aliases (*) are not read; write the value out\n"},
    {"a: 1\n<<: {b: 2}\n", "f:2:1: error: merge keys (<<) are not read; write the values out\n"},
    {"a: !!python/object:os.system ls\n",
     "f:1:4: error: tags such as tag:yaml.org,2002:python/object:os.system are not read\n"},
    {"a: !!int 5\n", "f:1:4: error: tags such as tag:yaml.org,2002:int are not read\n"},
    {"a: 1\n---\nb: 2\n",
     "f:2:1: error: one document is needed; is this line indented unlike those above, or a second "
     "document?\n"},
    {"? [a, b]\n: 1\n", "f:1:3: error: a key must be a plain text\n"},
    {"~: 1\n", "f:1:1: error: a key must be a plain text\n"},
    {"a: b: c\n", "f:1:5: error: a \":\" where no key can stand; is a value with \": \" not in quotes?\n"},
    {"a:\n  b: 1\n c: 2\n",
     "f:3:2: error: no key can stand here; is the line indented unlike those beside it, or is there text "
     "behind a value?\n"},
    {"- a\nb: 1\n",
     "f:2:1: error: one document is needed; is this line indented unlike those above, or a second "
     "document?\n"},
    {"a: {b: 1\nc: 2\n", "f:2:2: error: a \"{\" that is not closed, or a missing comma\n"},
    {"a: [1, 2\n", "f:2:1: error: a \"[\" that is not closed, or a missing comma\n"},
    {"a:\n  - b\n - c\n",
     "f:3:2: error: no key can stand here; is the line indented unlike those beside it, or is there text "
     "behind a value?\n"},
    {"a: \"b\nc: 'it''s'\n", "f:1:4: error: a quoted text that is not closed\n"},
    {"a: \"b\"\nc: 'it''\n", "f:2:4: error: a quoted text that is not closed\n"},
    {"a: \"b\\\"\n", "f:1:4: error: a quoted text that is not closed\n"},
    {"a: \"b\\0c\"\n", "f:1:4: error: a control character\n"},
    {"a: \"\\q\"\n", "f:1:7: error: not YAML: unknown escape character: q\n"},
    {"a: 1]\nb: ]\n", "f:2:4: error: not YAML: illegal flow end\n"},
    {"a:\n\tb: 1\n", "f:2:1: error: a tab in the indentation; YAML needs spaces\n"},
    {"a:\n  \tb: 1\n\tc: 2\n",
     "f:2:3: error: a tab in the indentation; YAML needs spaces\n"
     "f:3:1: error: a tab in the indentation; YAML needs spaces\n"},
    {"a: b\0c\n"s, "f:1:5: error: a control character\n"},
    {"a: \x1b[0m\n", "f:1:4: error: a control character\n"},
    {"a: caf\xe9\n", "f:1:7: error: bytes that are not UTF-8 text\n"},
    {"a: \xc0\xaf\n", "f:1:4: error: bytes that are not UTF-8 text\n"},      // longer than needed
    {"a: \xed\xa0\x80\n", "f:1:4: error: bytes that are not UTF-8 text\n"},  // a surrogate
    {"\xff\xfe"
     "a\0:\0"s,
     "f:1:1: error: bytes that are not UTF-8 text\n"},  // UTF-16
};

TEST(MalformedYaml, IsToldWithItsPlace) {
  for (const auto& [text, told] : table) {
    const Result<Document> document = parse_yaml(text, "f");
    EXPECT_EQ(document ? "read" : to_string(document.error()), told) << text;
  }
}

TEST(MalformedYaml, NestingIsBounded) {
  const auto last_error = [](const std::string& text) {
    const Result<Document> document = parse_yaml(text, "f");
    return document ? "read" : document.error().back().message;
  };
  std::string block;
  for (int i = 0; i < 1000; ++i) block += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  std::string maps, pairs;
  for (int i = 0; i < 100'000; ++i) maps += "{a: ", pairs += "- ? ";
  for (const std::string& text : {std::string(1'000'000, '['), block, maps, pairs})
    EXPECT_EQ(last_error(text), "nested deeper than 64 levels");
  EXPECT_EQ(last_error(std::string(5 << 20, 'a')), "the file is larger than 4 MiB");
  std::string repeated;
  for (int i = 0; i < 100'000; ++i) repeated += "a: 1\n";
  EXPECT_EQ(last_error(repeated), "too many mistakes; reading stops here");
}

}  // namespace
}  // namespace inferometer
