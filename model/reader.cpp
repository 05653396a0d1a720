#include "model/reader.hpp"

#include <algorithm>

namespace inferometer {

std::string nearest(std::string_view text, const std::vector<std::string>& candidates) {
  // Levenshtein distance by rows, in halves: a change of case counts one, any other change two.
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  const auto distance = [&](std::string_view other) {
    std::vector<std::size_t> row(other.size() + 1);
    for (std::size_t j = 0; j < row.size(); ++j) row[j] = 2 * j;
    for (std::size_t i = 1; i <= text.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = 2 * i;
      for (std::size_t j = 1; j <= other.size(); ++j) {
        const char a = text[i - 1], b = other[j - 1];
        const std::size_t change = a == b ? 0 : lower(a) == lower(b) ? 1 : 2, above = row[j];
        row[j] = std::min({row[j] + 2, row[j - 1] + 2, diagonal + change});
        diagonal = above;
      }
    }
    return row.back();
  };
  std::string best;
  std::size_t best_distance = SIZE_MAX;
  for (const std::string& candidate : candidates) {
    // Near is what needs a third of its characters changed at most. The lengths alone rule out most, which
    // also keeps a huge key cheap.
    const std::size_t longer = std::max(text.size(), candidate.size());
    const std::size_t allowed = std::max<std::size_t>(1, longer / 3);
    if (longer - std::min(text.size(), candidate.size()) > allowed) continue;
    const std::size_t d = distance(candidate);
    if (d < best_distance && d <= 2 * allowed) {
      best = candidate;
      best_distance = d;
    }
  }
  return best;
}

namespace {

/// Stands for a mapping that is missing or is none: that has been told, and what it lacks is not.
const Document& nothing() {
  static const Document empty{.kind = Document::Kind::mapping};
  return empty;
}

}  // namespace

Reader::Reader(const Document& document, std::string path, Errors& errors)
    : document_(&document), path_(std::move(path)), errors_(&errors) {
  if (document.kind == Document::Kind::mapping) return;
  errors.push_back({prefix() + "a mapping of keys to values is needed", document.where});
  document_ = &nothing();
}

const Document* Reader::find(std::string_view key) const {
  for (const Document::Entry& e : document_->mapping) {
    if (e.key == key) return &e.value;
  }
  return nullptr;
}

std::string Reader::prefix() const { return path_.empty() ? std::string{} : path_ + ": "; }

std::string Reader::path_to(std::string_view key) const {
  return path_.empty() ? std::string{key} : path_ + "." + std::string{key};
}

void Reader::tell_missing(std::string_view key) {
  if (document_ != &nothing())
    errors_->push_back({prefix() + "missing key " + in_quotes(key), document_->where});
}

bool Reader::has(std::string_view key) const { return find(key) != nullptr; }

const Document* Reader::raw(std::string_view key) {
  asked_.emplace_back(key);
  return find(key);
}

template <class T>
std::optional<T> Reader::maybe(std::string_view key) {
  const Document* value = raw(key);
  if (value == nullptr) return std::nullopt;
  Result<T> parsed = parse_value<T>(*value);
  if (parsed) return std::move(*parsed);
  error(key, parsed.error().front().message);
  return T{};
}

template <class T>
T Reader::required(std::string_view key) {
  if (std::optional<T> value = maybe<T>(key)) return std::move(*value);
  tell_missing(key);
  return T{};
}

template <class T>
T Reader::optional(std::string_view key, T otherwise) {
  std::optional<T> value = maybe<T>(key);
  return value ? std::move(*value) : std::move(otherwise);
}

template <class T>
std::optional<std::vector<T>> Reader::list(std::string_view key) {
  const Document* value = raw(key);
  if (value == nullptr) return std::nullopt;
  std::vector<T> items;
  if (value->kind != Document::Kind::sequence) {
    error(key, "a list is needed");
    return items;
  }
  for (std::size_t i = 0; i < value->sequence.size(); ++i) {
    Result<T> parsed = parse_value<T>(value->sequence[i]);
    if (parsed) {
      items.push_back(std::move(*parsed));
    } else {
      errors_->push_back({path_to(key) + "[" + std::to_string(i) + "]: " + parsed.error().front().message,
                          value->sequence[i].where});
    }
  }
  return items;
}

#define INFEROMETER_READS(T)                                    \
  template std::optional<T> Reader::maybe<T>(std::string_view); \
  template T Reader::required<T>(std::string_view);             \
  template T Reader::optional<T>(std::string_view, T);          \
  template std::optional<std::vector<T>> Reader::list<T>(std::string_view);
INFEROMETER_READS(bool)
INFEROMETER_READS(std::int64_t)
INFEROMETER_READS(double)
INFEROMETER_READS(std::string)
INFEROMETER_READS(DType)
INFEROMETER_READS(Bytes)
INFEROMETER_READS(BytesPerSecond)
INFEROMETER_READS(FlopsPerSecond)
INFEROMETER_READS(Hertz)
INFEROMETER_READS(Watts)
INFEROMETER_READS(DollarsPerHour)
INFEROMETER_READS(Seconds)
#undef INFEROMETER_READS

Reader Reader::required_mapping(std::string_view key) {
  if (std::optional<Reader> found = maybe_mapping(key)) return *std::move(found);
  tell_missing(key);
  return {nothing(), path_to(key), *errors_};
}

std::optional<Reader> Reader::maybe_mapping(std::string_view key) {
  const Document* value = raw(key);
  if (value == nullptr) return std::nullopt;
  return Reader{*value, path_to(key), *errors_};
}

std::vector<std::string> Reader::keys() const {
  std::vector<std::string> all;
  for (const Document::Entry& e : document_->mapping) all.push_back(e.key);
  return all;
}

void Reader::reject_unknown_keys() {
  constexpr std::size_t most = 50;  // more than that is not a misspelt file but another kind of file
  std::size_t unknown = 0;
  for (const Document::Entry& e : document_->mapping) {
    if (std::find(asked_.begin(), asked_.end(), e.key) != asked_.end()) continue;
    if (++unknown > most) {
      errors_->push_back({prefix() + "more unknown keys", e.key_where});
      return;
    }
    const std::string near = nearest(e.key, asked_);
    errors_->push_back({prefix() + "unknown key " + in_quotes(e.key) +
                            (near.empty() ? "" : "; did you mean " + in_quotes(near) + "?"),
                        e.key_where});
  }
}

void Reader::error(std::string_view key, std::string message) {
  const Document* value = find(key);
  errors_->push_back({path_to(key) + ": " + std::move(message), value ? value->where : document_->where});
}

}  // namespace inferometer
