#include "executor/cuda/cudnn/prompt_attention.hpp"

#include "model/operators/attention.hpp"
#include "tests/gpu/device.hpp"

namespace inferometer::cuda {
namespace {

struct Prompts {
  std::string name;
  std::int64_t heads, kv_heads, head_dim, window;
  std::vector<std::int64_t> tokens;   ///< of each sequence
  std::vector<std::size_t> others{};  ///< sequences that somebody else attends
};

/// Queries, keys and values side by side in one buffer, as a joined projection leaves them.
class GpuPromptAttention : public OnGpu {
 protected:
  void SetUp() override {
    OnGpu::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    if (const std::string missing = cudnn_missing(); !missing.empty()) GTEST_SKIP() << missing;
    auto opened = open_cudnn();
    ASSERT_TRUE(opened) << to_string(opened.error());
    attention = std::move(*opened);
  }
  void check(const Prompts& p) {
    SCOPED_TRACE(p.name);
    const std::int64_t q_width = p.heads * p.head_dim, kv_width = p.kv_heads * p.head_dim;
    std::int64_t rows = 0;
    std::vector<Sequence> sequences;
    std::vector<bool> written;
    Attention op{.heads = p.heads,
                 .kv_heads = p.kv_heads,
                 .head_dim = p.head_dim,
                 .v_dim = p.head_dim,
                 .window = p.window,
                 .scale = 1.0 / std::sqrt(static_cast<double>(p.head_dim))};
    for (std::size_t i = 0; i < p.tokens.size(); ++i) {
      const bool other = std::find(p.others.begin(), p.others.end(), i) != p.others.end();
      if (!other)
        sequences.push_back(
            {.row = static_cast<std::int32_t>(rows), .fresh = static_cast<std::int32_t>(p.tokens[i])});
      written.insert(written.end(), static_cast<std::size_t>(p.tokens[i]), !other);
      op.slices.push_back({.fresh = p.tokens[i], .cached = 0});
      rows += p.tokens[i];
    }
    const Matrix qkv = Matrix::random(rows, q_width + 2 * kv_width, 1, 2.0F), y{rows, q_width};
    const In q = qkv.in(), k{q.data + q_width, q.stride}, v{k.data + kv_width, q.stride};
    for (int again = 0; again < 2; ++again) {  // with a plan that is new, and with one that is known
      cudaMemset2D(y.out().data, static_cast<std::size_t>(y.out().stride) * 2, 0xff,
                   static_cast<std::size_t>(q_width) * 2, static_cast<std::size_t>(rows));
      const Done done = attention->attend({.q = q,
                                           .k = k,
                                           .v = v,
                                           .y = y.out(),
                                           .heads = static_cast<std::int32_t>(p.heads),
                                           .kv_heads = static_cast<std::int32_t>(p.kv_heads),
                                           .head_dim = static_cast<std::int32_t>(p.head_dim),
                                           .window = static_cast<std::int32_t>(p.window),
                                           .scale = static_cast<float>(op.scale)},
                                          sequences, queue.stream);
      ASSERT_TRUE(done) << to_string(done.error());
      const std::vector<double> all = qkv.values(), there = y.values();
      const auto columns = [&](std::int64_t first, std::int64_t width) {
        std::vector<double> part;
        for (std::int64_t r = 0; r < rows; ++r) {
          const auto from = all.begin() + r * (q_width + 2 * kv_width) + first;
          part.insert(part.end(), from, from + width);
        }
        return part;
      };
      const std::vector<double> right = reference(
          op, {columns(0, q_width), columns(q_width, kv_width), columns(q_width + kv_width, kv_width)})[0];
      std::vector<double> got, expected;
      for (std::size_t i = 0; i < there.size(); ++i) {
        if (written[i / static_cast<std::size_t>(q_width)]) {
          got.push_back(there[i]);
          expected.push_back(right[i]);
        } else {
          ASSERT_TRUE(std::isnan(there[i])) << "a row of another sequence was written";
        }
      }
      EXPECT_LE(distance(got, expected), bf16_tolerance);
      EXPECT_TRUE(y.gaps_untouched());
    }
  }
  std::unique_ptr<PromptAttention> attention;
};

TEST_F(GpuPromptAttention, OfOnePrompt) {
  check({"short", 8, 2, 128, 0, {2}});
  check({"odd", 8, 2, 128, 0, {77}});
  check({"several tiles", 8, 2, 128, 0, {450}});
  check({"head of 64", 4, 4, 64, 0, {129}});
  check({"group of 5", 10, 2, 128, 0, {200}});
  check({"one key head", 12, 1, 64, 0, {65}});
}

TEST_F(GpuPromptAttention, OfSeveralLengths) {
  check({"alike", 8, 2, 128, 0, {100, 100, 100}});
  check({"unlike", 8, 2, 64, 0, {33, 150, 150, 7, 64, 64}});
  check({"others between", 8, 2, 128, 0, {50, 20, 50, 50, 1, 1, 50}, {1, 4, 5}});
}

TEST_F(GpuPromptAttention, InsideAWindow) {
  check({"shorter than the prompt", 8, 2, 128, 40, {150}});
  check({"of one block", 8, 2, 64, 128, {300, 300}});
  check({"longer than the prompt", 8, 2, 128, 200, {150}});
}

}  // namespace
}  // namespace inferometer::cuda
