#pragma once
#include <span>
#include <vector>

#include "executor/cuda/device_buffer.hpp"
#include "executor/cuda/kernels/kernels.hpp"
#include "executor/pass/pass.hpp"
#include "model/decode_splits.hpp"

namespace inferometer::cuda {

/// The most that a step may bring.
struct InputLimits {
  std::int64_t tokens = 0, sequences = 0, table = 0, tiles = 0, parts = 0;
  friend bool operator==(const InputLimits&, const InputLimits&) = default;
};

/// What the kernels read of a step, at addresses that do not change from step to step: recorded graphs hold
/// them.
class DeviceInputs {
 public:
  DeviceInputs() = default;
  [[nodiscard]] static Result<DeviceInputs> of(const InputLimits& limits);

  /// Sends a step's inputs. Sequences with at most decode_rows rows of queries per key head come first, the
  /// longest before the others. With prompts_apart those of the others that have several tokens and no
  /// history come last, and have no tiles. group: query heads per key head
  void send(const Pass& pass, std::int64_t group, bool prompts_apart, const DecodeChoice& decode,
            cudaStream_t stream);

  const std::int32_t* tokens() const { return at(0); }
  const std::int32_t* positions() const { return at(1); }
  const std::int32_t* slots() const { return at(2); }
  const std::int32_t* logit_rows() const { return at(3); }
  const std::int32_t* tables() const { return at(4); }
  const Sequence* sequences() const { return reinterpret_cast<const Sequence*>(at(5)); }
  const AttentionTile* tiles() const { return reinterpret_cast<const AttentionTile*>(at(6)); }
  const DecodePart* parts() const { return reinterpret_cast<const DecodePart*>(at(7)); }

  /// Of the step that was sent last.
  std::span<const Sequence> sent() const { return sequences_; }
  std::int64_t decoding() const { return decoding_; }                          ///< the first so many of them
  std::span<const Sequence> prompts() const { return sent().last(prompts_); }  ///< that come apart
  std::int64_t tile_count() const { return tile_count_; }
  const InputLimits& limits() const { return limits_; }

 private:
  struct FreePinned {
    void operator()(std::int32_t* p) const { cudaFreeHost(p); }
  };
  const std::int32_t* at(std::size_t part) const {
    return reinterpret_cast<const std::int32_t*>(device_.data()) + starts_[part];
  }
  InputLimits limits_;
  std::vector<std::int64_t> starts_;  ///< of each part, in 32-bit words; the last: of all
  DeviceBuffer device_;
  std::unique_ptr<std::int32_t, FreePinned> pinned_;
  std::vector<Sequence> sequences_;
  std::int64_t decoding_ = 0, tile_count_ = 0;
  std::size_t prompts_ = 0;
};

/// Parts of the keys of sequences that decode, the longest first, as decode_parts() says; behind them such of
/// nothing, `count` in all.
std::vector<DecodePart> parts_of(std::span<const Sequence> decoding, std::int64_t splits, std::int64_t count);

/// What `step` needs at least, but for parts.
InputLimits limits_of(const Step& step, std::int64_t group);

}  // namespace inferometer::cuda
