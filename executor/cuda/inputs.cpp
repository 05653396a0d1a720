#include "executor/cuda/inputs.hpp"

#include <algorithm>
#include <cstring>

namespace inferometer::cuda {
namespace {

std::int64_t tiles_of(std::int64_t fresh, std::int64_t group) {
  return fresh * group <= decode_rows ? 0 : (fresh * group + prefill_rows - 1) / prefill_rows;
}

}  // namespace

std::vector<DecodePart> parts_of(std::span<const Sequence> decoding, std::int64_t splits,
                                 std::int64_t count) {
  std::vector<DecodePart> parts;
  if (count == 0) return parts;
  const auto keys = [](const Sequence& s) { return static_cast<std::int64_t>(s.cached) + s.fresh; };
  for (std::size_t i = 0; i < decoding.size(); ++i) {
    const auto of = static_cast<std::int32_t>(decode_parts(keys(decoding[i]), keys(decoding[0]), splits)),
               first = static_cast<std::int32_t>(parts.size());
    for (std::int32_t part = 0; part < of; ++part)
      parts.push_back({decoding[i], static_cast<std::int32_t>(i), part, of, first});
  }
  require(static_cast<std::int64_t>(parts.size()) <= count, "room for all parts");
  parts.resize(static_cast<std::size_t>(count));
  return parts;
}

InputLimits limits_of(const Step& step, std::int64_t group) {
  InputLimits limits{.sequences = static_cast<std::int64_t>(step.slices.size())};
  for (const Slice& slice : step.slices) {
    limits.tokens += slice.fresh;
    limits.table += static_cast<std::int64_t>(slice.block_table.size());
    limits.tiles += tiles_of(slice.fresh, group);
  }
  return limits;
}

Result<DeviceInputs> DeviceInputs::of(const InputLimits& limits) {
  DeviceInputs inputs;
  inputs.limits_ = limits;
  std::int64_t total = 0;
  for (const std::int64_t words :
       {limits.tokens, limits.tokens, limits.tokens, limits.tokens, limits.table,
        static_cast<std::int64_t>(sizeof(Sequence) / 4) * limits.sequences, 2 * limits.tiles,
        static_cast<std::int64_t>(sizeof(DecodePart) / 4) * limits.parts}) {
    inputs.starts_.push_back(total);
    total += (words + 31) / 32 * 32;
  }
  inputs.starts_.push_back(total);
  Result<DeviceBuffer> device = DeviceBuffer::of(Bytes{total * 4});
  if (!device) return failure(device.error());
  inputs.device_ = std::move(*device);
  void* pinned = nullptr;
  if (const Done done =
          checked(cudaMallocHost(&pinned, static_cast<std::size_t>(total) * 4), "cudaMallocHost");
      !done)
    return failure(done.error());
  inputs.pinned_.reset(static_cast<std::int32_t*>(pinned));
  return inputs;
}

void DeviceInputs::send(const Pass& pass, std::int64_t group, bool prompts_apart, const DecodeChoice& decode,
                        cudaStream_t stream) {
  const auto part = [&](std::size_t i) { return pinned_.get() + starts_[i]; };
  const auto put = [&](std::size_t i, const std::vector<std::int32_t>& values) {
    std::copy(values.begin(), values.end(), part(i));
  };
  put(0, pass.inputs.tokens);
  put(1, pass.inputs.positions);
  put(2, pass.inputs.slots);
  put(3, pass.inputs.logit_rows);
  sequences_.clear();
  std::int32_t row = 0, table = 0;
  for (const Slice& slice : pass.step->slices) {
    std::copy(slice.block_table.begin(), slice.block_table.end(), part(4) + table);
    sequences_.push_back({.row = row,
                          .fresh = static_cast<std::int32_t>(slice.fresh),
                          .cached = static_cast<std::int32_t>(slice.cached),
                          .table = table});
    row += static_cast<std::int32_t>(slice.fresh);
    table += static_cast<std::int32_t>(slice.block_table.size());
  }
  std::erase_if(sequences_, [](const Sequence& s) { return s.fresh == 0; });
  const auto behind = std::stable_partition(sequences_.begin(), sequences_.end(),
                                            [&](const Sequence& s) { return tiles_of(s.fresh, group) == 0; });
  const auto prompts = std::stable_partition(behind, sequences_.end(), [&](const Sequence& s) {
    return !prompts_apart || s.cached > 0 || s.fresh == 1;
  });
  // Those that see most keys first: short ones fill the end.
  std::stable_sort(sequences_.begin(), behind, [](const Sequence& a, const Sequence& b) {
    return a.cached + a.fresh > b.cached + b.fresh;
  });
  decoding_ = behind - sequences_.begin();
  prompts_ = static_cast<std::size_t>(sequences_.end() - prompts);
  std::memcpy(part(5), sequences_.data(), sequences_.size() * sizeof(Sequence));
  std::vector<AttentionTile> tiles;
  for (std::size_t i = static_cast<std::size_t>(decoding_); i < sequences_.size() - prompts_; ++i) {
    for (std::int64_t t = 0; t < tiles_of(sequences_[i].fresh, group); ++t)
      tiles.push_back({static_cast<std::int32_t>(i), static_cast<std::int32_t>(t * prefill_rows)});
  }
  const auto keys = [&](const AttentionTile& t) {
    return sequences_[static_cast<std::size_t>(t.sequence)].cached + t.row / group;
  };
  std::stable_sort(tiles.begin(), tiles.end(),
                   [&](const auto& a, const auto& b) { return keys(a) > keys(b); });
  std::memcpy(part(6), tiles.data(), tiles.size() * sizeof(AttentionTile));
  tile_count_ = static_cast<std::int64_t>(tiles.size());
  const std::vector<DecodePart> parts =
      parts_of(std::span{sequences_}.first(static_cast<std::size_t>(decoding_)), decode.splits, decode.parts);
  std::memcpy(part(7), parts.data(), parts.size() * sizeof(DecodePart));
  cudaMemcpyAsync(device_.data(), pinned_.get(), static_cast<std::size_t>(starts_.back()) * 4,
                  cudaMemcpyHostToDevice, stream);
}

}  // namespace inferometer::cuda
