#include "traffic/row.hpp"

#include <charconv>

#include "model/seeded.hpp"
#include "traffic/numbers.hpp"

namespace inferometer {

using Role = Column::Role;

namespace {

/// Numbers and inclusive ranges a-b, apart by spaces, commas or vertical bars.
bool read_numbers(std::string_view text, std::vector<std::uint64_t>& out) {
  constexpr std::uint64_t most = 100'000'000;  // more than any prompt has
  const char *p = text.data(), *last = p + text.size();
  while (true) {
    while (p != last && (*p == ' ' || *p == ',' || *p == '|')) ++p;
    if (p == last) return true;
    std::uint64_t from = 0;
    auto [behind, error] = std::from_chars(p, last, from);
    if (error != std::errc{}) return false;
    std::uint64_t to = from;
    if (behind != last && *behind == '-') {
      const auto [after, wrong] = std::from_chars(behind + 1, last, to);
      if (wrong != std::errc{}) return false;
      behind = after;
    }
    const bool apart = behind == last || *behind == ' ' || *behind == ',' || *behind == '|';
    if (!apart || to < from || to - from >= most - out.size()) return false;
    for (std::uint64_t i = 0; i <= to - from; ++i) out.push_back(from + i);
    p = behind;
  }
}

}  // namespace

void TraceRow::set(const Column& column, std::string_view text, std::size_t at) {
  const auto wrong = [&](const char* what) {
    refuse(std::string{column.name} + ": \"" + std::string{text.substr(0, 40)} + "\" is " + what, at);
  };
  const unsigned bit = 1U << static_cast<unsigned>(column.role);
  if ((said_ & bit) != 0) return wrong("a second one");
  said_ |= bit;
  const auto number = [&](std::int64_t scale) {
    const std::optional<std::int64_t> value = parse_scaled(text, scale);
    if (!value) wrong("no number from 0 on");
    return value;
  };
  const auto distance = [&](std::int64_t scale) {
    std::optional<std::int64_t> value = number(scale);
    if (value && *value > 1'000'000'000'000'000'000) wrong("more than 30 years"), value.reset();
    return value;
  };
  const auto tokens = [&](std::int64_t least) -> std::optional<std::int64_t> {
    // In thousandths, so that parts of a token are seen.
    const std::optional<std::int64_t> value = parse_scaled(text, 1'000);
    if (value && *value % 1'000 == 0 && *value >= 1'000 * least && *value <= 1'000 * most_prompt_tokens)
      return *value / 1'000;
    wrong(least == 0 ? "no whole number" : "no number of tokens from 1 on");
    return std::nullopt;
  };
  switch (column.role) {
    case Role::arrival:
      arrival = column.scale == 0 ? parse_timestamp(text) : number(column.scale);
      if (!arrival && column.scale == 0) wrong("no time such as 2023-11-16 18:15:46.6805900");
      break;
    case Role::prompt:
      prompt = tokens(1);
      break;
    case Role::output:
      output = tokens(1);
      break;
    case Role::blocks:
      block_tokens = column.scale;
      if (!read_numbers(text, blocks)) wrong("no list of identities");
      break;
    case Role::prompt_ids:
      if (!read_numbers(text, prompt_ids)) wrong("no list of tokens");
      break;
    case Role::output_ids:
      if (!read_numbers(text, output_ids)) wrong("no list of tokens");
      break;
    case Role::session:
      session = text;
      break;
    case Role::elapsed:
      if (!text.empty()) elapsed = distance(column.scale);
      break;
    case Role::end:
      if (!text.empty()) end = number(column.scale);
      break;
    case Role::pause:
      if (!text.empty()) pause = distance(column.scale).value_or(0);
      break;
    case Role::prefix_group:
      prefix_group = text;
      break;
    case Role::prefix_length:
      if (!text.empty()) prefix_length = tokens(0).value_or(0);
      break;
    case Role::images:
      if (!text.empty()) images = tokens(0).value_or(0);
      break;
    case Role::seconds:
      seconds = true;
      break;
    case Role::turns:
      wrong("inside another");
      break;
  }
}

void TraceRow::clear() {
  std::vector<std::uint64_t> kept = std::move(blocks), prompts = std::move(prompt_ids),
                             outputs = std::move(output_ids);
  *this = {};
  for (const auto& [to, from] :
       {std::pair{&blocks, &kept}, {&prompt_ids, &prompts}, {&output_ids, &outputs}}) {
    from->clear();
    *to = std::move(*from);
  }
}

void TraceRow::identify_tokens(std::int64_t block) {
  block_tokens = block;
  std::uint64_t all = 0;
  std::int64_t count = 0;
  for (const std::vector<std::uint64_t>* ids : {&prompt_ids, &output_ids}) {
    for (const std::uint64_t id : *ids) {
      all = mix(all + mix(id + 1));
      if (++count % block == 0) blocks.push_back(all);
    }
  }
}

}  // namespace inferometer
