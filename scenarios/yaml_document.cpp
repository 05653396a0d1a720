#include "scenarios/yaml_document.hpp"

#include <yaml-cpp/anchor.h>
#include <yaml-cpp/emitterstyle.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <map>
#include <sstream>

#include "scenarios/yaml_text.hpp"

namespace inferometer {
namespace {

constexpr std::size_t deepest = 64, most_errors = 20;

/// Builds the tree from the parser's events: unlike the library's own nodes these keep repeated keys and
/// every mark. What is wrong but leaves the tree whole is collected; the rest is thrown as Error.
class Builder : public YAML::EventHandler {
 public:
  explicit Builder(const std::string& file) : file_(file) {}

  void OnDocumentStart(const YAML::Mark& mark) override { start_ = at(mark); }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    check(anchor, "", mark);
    add(Document{.where = at(mark)});
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    tell("aliases (*) are not read; write the value out", at(mark));
    add(Document{.kind = Document::Kind::scalar, .scalar = "*", .where = at(mark)});
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check(anchor, tag, mark);
    const bool quoted = tag == "!";
    if (quoted) last_quoted_ = at(mark);
    if (value.find('\0') != std::string::npos) tell("a control character", at(mark));
    if (!quoted && (value == "~" || value == "null" || value.empty())) return add({.where = at(mark)});
    add({.kind = Document::Kind::scalar, .scalar = value, .quoted = quoted, .where = at(mark)});
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    check(anchor, tag, mark);
    open(Document::Kind::sequence, mark);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    check(anchor, tag, mark);
    open(Document::Kind::mapping, mark);
  }
  void OnMapEnd() override { close(); }

  Document take() { return std::move(root_); }
  Errors take_errors() { return std::move(errors_); }
  const Location& start() const { return start_; }
  const Location& last_quoted() const { return last_quoted_; }

 private:
  struct Frame {
    Document node;
    Document key;
    bool has_key = false;
    std::map<std::string, int> lines;  ///< of the keys so far
  };

  // Marks count from 0.
  Location at(const YAML::Mark& mark) const { return {file_, mark.line + 1, mark.column + 1}; }

  void tell(std::string message, Location where) {
    if (errors_.size() >= most_errors) throw Error{"too many mistakes; reading stops here", std::move(where)};
    errors_.push_back({std::move(message), std::move(where)});
  }
  /// The tags "?" and "!" stand for plain and quoted text that has no tag.
  void check(YAML::anchor_t anchor, const std::string& tag, const YAML::Mark& mark) {
    if (anchor != YAML::NullAnchor) tell("anchors (&) are not read; write the value out", at(mark));
    if (!tag.empty() && tag != "?" && tag != "!") tell("tags such as " + tag + " are not read", at(mark));
  }

  /// The library recurses once for each nesting, after it has told of it here: the limit bounds its stack.
  void open(Document::Kind kind, const YAML::Mark& mark) {
    if (stack_.size() >= deepest)
      throw Error{"nested deeper than " + std::to_string(deepest) + " levels", at(mark)};
    stack_.push_back({.node = {.kind = kind, .where = at(mark)}});
  }
  void close() {
    Document done = std::move(stack_.back().node);
    stack_.pop_back();
    add(std::move(done));
  }
  void add(Document node) {
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = stack_.back();
    if (frame.node.kind == Document::Kind::sequence) {
      frame.node.sequence.push_back(std::move(node));
    } else if (!frame.has_key) {
      frame.key = std::move(node);
      frame.has_key = true;
    } else {
      frame.has_key = false;
      // The library finds out that a value is missing when it meets what comes after it.
      if (node.kind == Document::Kind::null) node.where = frame.key.where;
      if (accept_key(frame))
        frame.node.mapping.push_back({std::move(frame.key.scalar), frame.key.where, std::move(node)});
    }
  }
  bool accept_key(Frame& frame) {
    const Document& key = frame.key;
    if (key.kind != Document::Kind::scalar) {
      tell("a key must be a plain text", key.where);
      return false;
    }
    if (key.scalar == "<<" && !key.quoted) {
      tell("merge keys (<<) are not read; write the values out", key.where);
      return false;
    }
    const auto [earlier, is_new] = frame.lines.emplace(key.scalar, key.where.line);
    if (!is_new)
      tell("repeated key \"" + key.scalar + "\"; first at line " + std::to_string(earlier->second),
           key.where);
    return is_new;
  }

  const std::string& file_;
  Location start_, last_quoted_;
  std::vector<Frame> stack_;
  Document root_;
  Errors errors_;
};

/// What the library's messages mean to somebody who does not know its insides.
struct Meaning {
  std::string_view message, meaning;
};
constexpr std::array meanings{
    Meaning{"illegal map value", "a \":\" where no key can stand; is a value with \": \" not in quotes?"},
    Meaning{"end of map not found",
            "no key can stand here; is the line indented unlike those beside it, or is there text behind a "
            "value?"},
    Meaning{"end of sequence not found",
            "no list item can stand here; is the line indented unlike those beside it?"},
    Meaning{"end of map flow not found", "a \"{\" that is not closed, or a missing comma"},
    Meaning{"end of sequence flow not found", "a \"[\" that is not closed, or a missing comma"},
};
std::string explained(const std::string& message) {
  for (const Meaning& m : meanings) {
    if (m.message == message) return std::string{m.meaning};
  }
  return "not YAML: " + message;
}

/// Whether the text that opens at `where` has no closing quote. The library takes the end of the file for
/// one.
bool is_unclosed(std::string_view text, const Location& where) {
  for (int line = 1; line < where.line; ++line) text.remove_prefix(text.find('\n') + 1);
  text.remove_prefix(std::min(static_cast<std::size_t>(where.column - 1), text.size()));
  const char quote = text.empty() ? ' ' : text.front();
  if (quote != '"' && quote != '\'') return false;  // a block of text
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      if (quote == '"' || i + 1 == text.size() || text[i + 1] != quote) return false;
      ++i;  // '' stands for one quote
    }
  }
  return true;
}

}  // namespace

Result<Document> parse_yaml(std::string_view text, const std::string& file) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  if (Errors errors = check_yaml_text(text, file); !errors.empty()) return failure(std::move(errors));
  Builder builder(file), rest(file);
  const auto fail = [&](Error last) {
    Errors errors = builder.take_errors();
    errors.push_back(std::move(last));
    return failure(std::move(errors));
  };
  try {
    std::istringstream in{std::string{text}};
    YAML::Parser parser(in);
    if (!parser.HandleNextDocument(builder)) return failure("the file is empty", {file, 1, 1});
    if (builder.last_quoted().line > 0 && is_unclosed(text, builder.last_quoted()))
      return fail({"a quoted text that is not closed", builder.last_quoted()});
    if (parser.HandleNextDocument(rest)) {
      return fail({"one document is needed; is this line indented unlike those above, or a second document?",
                   rest.start()});
    }
  } catch (const Error& error) {
    return fail(error);
  } catch (const YAML::Exception& error) {
    return fail(
        {explained(error.msg), {file, std::max(0, error.mark.line) + 1, std::max(0, error.mark.column) + 1}});
  }
  if (Errors errors = builder.take_errors(); !errors.empty()) return failure(std::move(errors));
  return builder.take();
}

}  // namespace inferometer
