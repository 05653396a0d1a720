#include "scenarios/yaml_document.hpp"

#include <yaml-cpp/anchor.h>
#include <yaml-cpp/emitterstyle.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

namespace inferometer {
namespace {

constexpr std::size_t deepest = 64, largest = 4 << 20;

/// Builds the tree from the parser's events: unlike the library's own nodes these keep repeated keys and
/// every mark.
class Builder : public YAML::EventHandler {
 public:
  explicit Builder(const std::string& file) : file_(file) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(Document{.where = at(mark)}, anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    fail("aliases are not read; write the value out", mark);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check_tag(tag, mark);
    const bool quoted = tag == "!";
    if (!quoted && (value == "~" || value == "null" || value.empty())) return OnNull(mark, anchor);
    add(Document{.kind = Document::Kind::scalar, .scalar = value, .quoted = quoted, .where = at(mark)},
        anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Document::Kind::sequence, tag, mark, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Document::Kind::mapping, tag, mark, anchor);
  }
  void OnMapEnd() override { close(); }

  Document take() { return std::move(root_); }

 private:
  struct Frame {
    Document node;
    std::string key;
    Location key_where;
    bool has_key = false;
  };

  [[noreturn]] void fail(std::string message, const YAML::Mark& mark) const {
    throw Error{std::move(message), at(mark)};
  }
  Location at(const YAML::Mark& mark) const { return {file_, mark.line + 1, mark.column + 1}; }
  void check_tag(const std::string& tag, const YAML::Mark& mark) const {
    if (!tag.empty() && tag != "?" && tag != "!") fail("tags such as " + tag + " are not read", mark);
  }

  void open(Document::Kind kind, const std::string& tag, const YAML::Mark& mark, YAML::anchor_t anchor) {
    check_tag(tag, mark);
    if (anchor != YAML::NullAnchor) fail("anchors are not read; write the value out", mark);
    if (!stack_.empty() && stack_.back().node.kind == Document::Kind::mapping && !stack_.back().has_key) {
      fail("a key must be a plain text", mark);
    }
    if (stack_.size() >= deepest) fail("nested deeper than " + std::to_string(deepest) + " levels", mark);
    stack_.push_back({.node = {.kind = kind, .where = at(mark)}});
  }
  void close() {
    Document done = std::move(stack_.back().node);
    stack_.pop_back();
    add(std::move(done), YAML::NullAnchor);
  }
  void add(Document node, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) throw Error{"anchors are not read; write the value out", node.where};
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = stack_.back();
    if (frame.node.kind == Document::Kind::sequence) {
      frame.node.sequence.push_back(std::move(node));
    } else if (!frame.has_key) {
      take_key(frame, node);
    } else {
      frame.node.mapping.push_back({std::move(frame.key), frame.key_where, std::move(node)});
      frame.has_key = false;
    }
  }
  void take_key(Frame& frame, const Document& node) {
    if (node.kind != Document::Kind::scalar) throw Error{"a key must be a plain text", node.where};
    if (node.scalar == "<<") throw Error{"merge keys are not read; write the values out", node.where};
    for (const Document::Entry& e : frame.node.mapping) {
      if (e.key == node.scalar) {
        throw Error{"repeated key \"" + e.key + "\"; first at line " + std::to_string(e.key_where.line),
                    node.where};
      }
    }
    // Block mappings carry no mark of their own that is better than their first key's.
    frame.key = node.scalar;
    frame.key_where = node.where;
    frame.has_key = true;
  }

  const std::string& file_;
  std::vector<Frame> stack_;
  Document root_;
};

/// What the library would take badly: it recurses once for each nesting, and reads bytes that are no text.
Errors check_text(std::string_view text, const std::string& file) {
  if (text.size() > largest) return {{"the file is larger than 4 MiB", {file, 0, 0}}};
  int line = 1;
  std::size_t line_start = 0, flow = 0, dashes = 0;
  bool leading = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const Location here{file, line, static_cast<int>(i - line_start) + 1};
    if (c == '\n') {
      ++line;
      line_start = i + 1;
      dashes = 0;
      leading = true;
      continue;
    }
    if ((c < 32 && c != '\t' && c != '\r') || c == 127) return {{"a control character; YAML is text", here}};
    if (c == '[' || c == '{') flow += 1;
    if ((c == ']' || c == '}') && flow > 0) flow -= 1;
    if (leading && (c == '-' || c == '?' || c == ':')) ++dashes;
    if (c != '-' && c != '?' && c != ':' && c != ' ') leading = false;
    if (flow > deepest || dashes > deepest || (leading && i - line_start > 2 * deepest)) {
      return {{"nested deeper than " + std::to_string(deepest) + " levels", here}};
    }
  }
  return {};
}

}  // namespace

Result<Document> parse_yaml(std::string_view text, const std::string& file) {
  if (Errors errors = check_text(text, file); !errors.empty()) return failure(std::move(errors));
  try {
    std::istringstream in{std::string{text}};
    YAML::Parser parser(in);
    Builder builder(file);
    if (!parser.HandleNextDocument(builder)) return failure("the file is empty", {file, 1, 1});
    Document document = builder.take();
    Builder rest(file);
    if (parser.HandleNextDocument(rest))
      return failure("a second YAML document; one is needed", rest.take().where);
    return document;
  } catch (const Error& error) {
    return failure({error});
  } catch (const YAML::Exception& error) {
    return failure("not YAML: " + error.msg,
                   {file, std::max(0, error.mark.line) + 1, std::max(0, error.mark.column) + 1});
  }
}

}  // namespace inferometer
