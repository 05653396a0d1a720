#include "model/document.hpp"

#include <unordered_map>

#include "model/json_cursor.hpp"

namespace inferometer {
namespace {

constexpr int deepest = 64;
constexpr std::size_t largest = std::size_t{16} << 20;

Document read_value(JsonCursor& in, int depth);

void enter(JsonCursor& in, int depth) {
  if (depth >= deepest) in.fail("nested deeper than " + std::to_string(deepest) + " levels");
  in.skip(1);
  in.skip_space();
}

/// After an item: true where another follows, false at the end.
bool another(JsonCursor& in, char end) {
  in.skip_space();
  if (in.take(',')) {
    in.skip_space();
    return true;
  }
  if (in.take(end)) return false;
  in.fail_needed(std::string{"',' or '"} + end + "'");
}

void read_object(JsonCursor& in, Document& d, int depth) {
  d.kind = Document::Kind::mapping;
  enter(in, depth);
  if (in.take('}')) return;
  std::unordered_map<std::string, int> lines;  // of the keys; a search for each would be quadratic
  do {
    Location where = in.here();
    if (in.peek() != '"') in.fail_needed("a key in double quotes");
    std::string key = read_json_string(in);
    const auto [first, is_new] = lines.emplace(key, where.line);
    if (!is_new) {
      throw Error{"repeated key " + in_quotes(key) + "; first at line " + std::to_string(first->second),
                  std::move(where)};
    }
    in.skip_space();
    if (!in.take(':')) in.fail_needed("':' after the key " + in_quotes(key));
    in.skip_space();
    d.mapping.push_back({std::move(key), std::move(where), read_value(in, depth + 1)});
  } while (another(in, '}'));
}

void read_array(JsonCursor& in, Document& d, int depth) {
  d.kind = Document::Kind::sequence;
  enter(in, depth);
  if (in.take(']')) return;
  do {
    d.sequence.push_back(read_value(in, depth + 1));
  } while (another(in, ']'));
}

/// A number, true, false or null, by its spelling.
void read_word(JsonCursor& in, Document& d) {
  const std::string_view rest = in.rest();
  const std::string_view word = rest.substr(0, rest.find_first_of(",]}: \t\r\n\"[{"));
  if (word.empty()) in.fail_needed("a value");
  if (word != "null" && word != "true" && word != "false" && !is_json_number(word))
    in.fail(in_quotes(word) + " is not a JSON value");
  d.kind = word == "null" ? Document::Kind::null : Document::Kind::scalar;
  d.scalar = word;
  in.skip(word.size());
}

Document read_value(JsonCursor& in, int depth) {
  Document d;
  d.where = in.here();
  if (in.peek() == '{') {
    read_object(in, d, depth);
  } else if (in.peek() == '[') {
    read_array(in, d, depth);
  } else if (in.peek() == '"') {
    d.kind = Document::Kind::scalar;
    d.quoted = true;
    d.scalar = read_json_string(in);
  } else {
    read_word(in, d);
  }
  return d;
}

}  // namespace

std::string in_quotes(std::string_view text) {
  constexpr std::size_t most = 60;
  std::string shown = "\"";
  std::size_t at = 0;
  while (at < text.size() && at < most) {
    const std::size_t bytes = utf8_length(text.substr(at));
    const bool plain = bytes > 1 || (bytes == 1 && text[at] >= ' ' && text[at] != 127);
    shown += plain ? text.substr(at, bytes) : std::string_view{"?"};
    at += bytes > 0 ? bytes : 1;
  }
  return shown + (at < text.size() ? "...\"" : "\"");
}

Result<Document> parse_json(std::string_view text, const std::string& file) {
  JsonCursor in(text, file);
  try {
    if (text.size() > largest) in.fail("the text is larger than 16 MiB");
    if (text.starts_with("\xEF\xBB\xBF")) in.fail("the text begins with a byte order mark; JSON has none");
    in.skip_space();
    Document root = read_value(in, 0);
    in.skip_space();
    if (in.more()) in.fail("text after the end of the JSON value");
    return root;
  } catch (const Error& error) {
    return failure({error});
  }
}

}  // namespace inferometer
