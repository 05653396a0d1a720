#include "executor/cuda/scratch.hpp"

#include <algorithm>

#include "executor/cuda/kernels/int4.hpp"
#include "executor/cuda/kernels/kernels.hpp"
#include "executor/cuda/kernels/products.hpp"
#include "model/decode_splits.hpp"

namespace inferometer::cuda {
namespace {

/// Parts of squares, of few tokens, where a residual norm runs in the product by a matrix.
std::int64_t norm_squares(const WeightSpec& w, const Gpu& gpu) {
  if (w.format.dtype == DType::int4) return most_int4_streamed_tokens * norm_parts(w.rows);
  if (w.format.dtype != DType::bf16) return 0;
  return most_streamed_tokens * row_of_parts(streamed_norm_parts(w.rows, gpu.processors));
}

}  // namespace

Result<Scratch> make_scratch(const Case& c, const Structure& structure, const Gpu& gpu, Bytes naive_scores) {
  const std::int64_t kv_heads = c.model().kv_heads;
  const std::int64_t pairs = c.workload.batch * kv_heads;
  const std::int64_t parts = std::max<std::int64_t>(pairs, most_decode_parts(gpu.processors));
  // Padding may widen a batch to the next bucket.
  std::int64_t widest = c.workload.batch;
  for (const std::int64_t b : c.plan.launch.batch_buckets) widest = std::max(widest, b);
  // Rows of logits are few unless a prompt is scored as a whole.
  const std::int64_t most_rows = std::max<std::int64_t>(widest, 1 << 16);
  std::int64_t largest_int4 = 0, most_squares = 0;
  for (const WeightSpec& w : structure.weights) {
    most_squares = std::max(most_squares, norm_squares(w, gpu));
    if (w.format.dtype == DType::int4) largest_int4 = std::max(largest_int4, w.rows * w.columns);
  }
  Bytes total{0};
  const auto place = [&](std::int64_t bytes) { return place_part(total, Bytes{bytes}).value; };
  const std::int64_t flags = place(gpu.processors * 4), tickets = place(widest * kv_heads * 4),
                     largest = place(most_rows * 8), ended = place(most_rows * 4), zeroed = total.value,
                     partial = place(largest_int4 > 0 ? int4_partials(gpu.processors) * 4 : 0),
                     squares = place(most_squares * 4), unpacked = place(largest_int4 * 2),
                     decode = place(
                         decode_partials(std::max(parts, widest * kv_heads), 1, 1, c.model().head_dim) * 4),
                     scores = place(naive_scores.value);
  Result<DeviceBuffer> memory = DeviceBuffer::of(total);
  if (!memory) return failure(memory.error());
  Scratch scratch{.memory = std::move(*memory)};
  scratch.sequences = widest;
  scratch.logit_rows = most_rows;
  scratch.score_bytes = naive_scores;
  char* at = scratch.memory.data();
  scratch.flags = reinterpret_cast<std::uint32_t*>(at + flags);
  scratch.tickets = reinterpret_cast<std::uint32_t*>(at + tickets);
  scratch.largest = reinterpret_cast<std::uint64_t*>(at + largest);
  scratch.ended = reinterpret_cast<std::uint32_t*>(at + ended);
  scratch.partial = reinterpret_cast<float*>(at + partial);
  scratch.squares = reinterpret_cast<float*>(at + squares);
  scratch.unpacked = reinterpret_cast<std::uint16_t*>(at + unpacked);
  scratch.decode = reinterpret_cast<float*>(at + decode);
  scratch.scores = reinterpret_cast<float*>(at + scores);
  const Done cleared =
      checked(cudaMemset(at, 0, static_cast<std::size_t>(zeroed)), "clearing scratch memory");
  if (!cleared) return failure(cleared.error());
  return scratch;
}

}  // namespace inferometer::cuda
