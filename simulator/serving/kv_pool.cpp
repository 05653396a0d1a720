#include "simulator/serving/kv_pool.hpp"

#include <algorithm>

namespace inferometer {

KvPool::KvPool(std::int64_t blocks, std::int64_t unit_blocks, bool caches)
    : blocks_(blocks), free_(0), unit_blocks_(unit_blocks), caches_(caches) {
  give(blocks);
}

std::int32_t KvPool::make(Entry entry) {
  if (unused_.empty()) {
    entries_.push_back(entry);
    return static_cast<std::int32_t>(entries_.size()) - 1;
  }
  const std::int32_t e = unused_.back();
  unused_.pop_back();
  at(e) = entry;
  return e;
}

/// Forgets what an entry that is not in the queue was found by.
void KvPool::drop(std::int32_t e) {
  if (at(e).kind == Entry::Kind::unit) units_.erase(at(e).identity);
  if (at(e).kind == Entry::Kind::remains) remains_.erase(at(e).identity);
  unused_.push_back(e);
}

void KvPool::push_back(std::int32_t e) {
  at(e).before = back_;
  at(e).behind = -1;
  (back_ < 0 ? front_ : at(back_).behind) = e;
  back_ = e;
  free_ += at(e).blocks;
}

void KvPool::unlink(std::int32_t e) {
  const Entry& entry = at(e);
  (entry.before < 0 ? front_ : at(entry.before).behind) = entry.behind;
  (entry.behind < 0 ? back_ : at(entry.behind).before) = entry.before;
  free_ -= entry.blocks;
}

void KvPool::take(std::int64_t n) {
  require(n <= free_, "more blocks were taken than are free");
  while (n > 0) {
    const std::int32_t e = front_;
    const std::int64_t part = std::min(n, at(e).blocks);
    if (part == at(e).blocks) {
      unlink(e);
      drop(e);
    } else {
      // What is left of a unit is found no more; what is left of remains is their beginning.
      if (at(e).kind == Entry::Kind::unit) {
        units_.erase(at(e).identity);
        at(e).kind = Entry::Kind::plain;
      }
      at(e).blocks -= part;
      free_ -= part;
    }
    n -= part;
  }
}

void KvPool::give(std::int64_t n) {
  if (n == 0) return;
  if (back_ >= 0 && at(back_).kind == Entry::Kind::plain) {
    at(back_).blocks += n;
    free_ += n;
    return;
  }
  push_back(make({.blocks = n}));
}

KvPool::Found KvPool::find(std::span<const std::uint64_t> identities) const {
  Found found;
  if (!caches_) return found;
  for (const std::uint64_t identity : identities) {
    const auto unit = units_.find(identity);
    if (unit == units_.end()) break;
    ++found.units;
    const Entry& entry = entries_[static_cast<std::size_t>(unit->second)];
    if (entry.users == 0) found.idle_blocks += entry.blocks;
  }
  return found;
}

void KvPool::reference(std::uint64_t identity) {
  const std::int32_t e = units_.at(identity);
  if (at(e).users++ == 0) unlink(e);
}

bool KvPool::publish(std::uint64_t identity) {
  if (!caches_) return false;
  const auto [place, is_new] = units_.try_emplace(identity, 0);
  if (!is_new) return false;
  place->second = make({.blocks = unit_blocks_, .identity = identity, .users = 1, .kind = Entry::Kind::unit});
  return true;
}

void KvPool::release(std::uint64_t identity) {
  const std::int32_t e = units_.at(identity);
  if (--at(e).users == 0) push_back(e);
}

std::uint64_t KvPool::leave_remains(std::int64_t n) {
  if (!caches_ || n == 0) {
    give(n);
    return 0;
  }
  const std::uint64_t name = ++remains_named_;
  const std::int32_t e = make({.blocks = n, .identity = name, .kind = Entry::Kind::remains});
  remains_.emplace(name, e);
  push_back(e);
  return name;
}

std::int64_t KvPool::remains(std::uint64_t name) const {
  const auto found = remains_.find(name);
  return found == remains_.end() ? 0 : entries_[static_cast<std::size_t>(found->second)].blocks;
}

void KvPool::take_remains(std::uint64_t name, std::int64_t n) {
  const auto found = remains_.find(name);
  if (found == remains_.end()) return;
  const std::int32_t e = found->second;
  require(n <= at(e).blocks, "more remains were taken than are left");
  remains_.erase(found);
  if (n == at(e).blocks) {
    unlink(e);
    at(e).kind = Entry::Kind::plain;
    drop(e);
    return;
  }
  at(e).kind = Entry::Kind::plain;
  at(e).blocks -= n;
  free_ -= n;
}

}  // namespace inferometer
