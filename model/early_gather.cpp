#include <algorithm>
#include <iterator>
#include <utility>

#include "model/passes.hpp"

namespace inferometer {
namespace {

/// Gathers rows of what the nodes behind the last attention read of those up to it.
class EarlyGather {
 public:
  EarlyGather(Structure& structure, std::size_t attention, std::size_t gather)
      : s_(structure), attention_(attention), gather_(gather) {}

  void run() {
    for (std::size_t i = attention_ + 1; i < gather_; ++i) {
      for (const View& made : s_.nodes[i].writes) buffer(made).rows = Rows::logits;
    }
    std::vector<StructureNode> kept(s_.nodes.begin(), at(attention_ + 1)), behind;
    for (std::size_t i = attention_ + 1; i < gather_; ++i) {
      StructureNode node = s_.nodes[i];
      node.rows = Rows::logits;
      for (View& read : node.reads) {
        if (buffer(read).rows != Rows::logits) read = gathered(read, kept);
      }
      behind.push_back(std::move(node));
    }
    const View last = s_.nodes[gather_].reads[0], was = s_.nodes[gather_].writes[0];
    for (std::size_t i = gather_ + 1; i < s_.nodes.size(); ++i) {
      StructureNode node = s_.nodes[i];
      std::replace(node.reads.begin(), node.reads.end(), was, last);
      behind.push_back(std::move(node));
    }
    std::move(behind.begin(), behind.end(), std::back_inserter(kept));
    s_.nodes = std::move(kept);
  }

 private:
  std::vector<StructureNode>::iterator at(std::size_t i) {
    return s_.nodes.begin() + static_cast<std::ptrdiff_t>(i);
  }
  Buffer& buffer(const View& view) { return s_.buffers[static_cast<std::size_t>(view.buffer)]; }

  View gathered(const View& from, std::vector<StructureNode>& kept) {
    for (const auto& [known, rows] : gathered_) {
      if (known == from) return rows;
    }
    const Buffer of = buffer(from);
    const StructureNode& like = s_.nodes[gather_];
    s_.buffers.push_back({of.name + ".gather", Rows::logits, from.columns, of.dtype});
    const View to{static_cast<std::int32_t>(s_.buffers.size() - 1), 0, from.columns};
    kept.push_back({of.name + "." + like.name,
                    s_.nodes[attention_].layer,
                    like.role,
                    GatherRows{.width = from.columns, .dtype = of.dtype},
                    Rows::logits,
                    {from},
                    {to},
                    {}});
    gathered_.emplace_back(from, to);
    return to;
  }

  Structure& s_;
  std::size_t attention_, gather_;
  std::vector<std::pair<View, View>> gathered_;  ///< what rows are taken of, and they
};

}  // namespace

Errors gather_early(Structure& s, const Architecture& a, const Plan& plan) {
  if (!plan.fusion.early_gather) return {};
  if (a.is_sparse(a.layers - 1))
    return {{"fusion.early_gather: the last layer's experts take the rows of all tokens"}};
  const auto index = [&](Role role) {
    const auto found = std::find_if(s.nodes.rbegin(), s.nodes.rend(),
                                    [&](const StructureNode& n) { return n.role == role; });
    return static_cast<std::size_t>(s.nodes.rend() - found) - 1;
  };
  EarlyGather(s, index(Role::attention), index(Role::gather)).run();
  return {};
}

}  // namespace inferometer
