#include <numeric>

#include "executor/cuda/copy_stream.hpp"
#include "executor/cuda/cuda_backend.hpp"
#include "model/seeded.hpp"
#include "tests/gpu/device.hpp"

namespace inferometer::cuda {
namespace {

using CopyBesideSteps = OnGpu;

constexpr CopyDirection directions[] = {CopyDirection::within_device, CopyDirection::to_host,
                                        CopyDirection::from_host};

std::vector<char> bytes_at(const char* place, std::size_t count) {
  std::vector<char> all(count);
  EXPECT_EQ(cudaMemcpy(all.data(), place, count, cudaMemcpyDefault), cudaSuccess);
  return all;
}

/// What is left of the buffers beyond the copy's size stays as it was.
TEST_F(CopyBesideSteps, BringWhatWasCopied) {
  for (const CopyDirection direction : directions) {
    for (const std::int64_t count : {1, 15, 16, 17, 4096, 1'000'003, 70'000'001}) {
      auto copies = CopyStream::of({.bytes = Bytes{count + 100}, .direction = direction}, gpu);
      ASSERT_TRUE(copies) << to_string(copies.error());
      const auto room = static_cast<std::size_t>(count + 100);
      std::vector<char> sent(room), poison(room, 0x5a);
      for (std::size_t i = 0; i < room; ++i) sent[i] = static_cast<char>(mix(i));
      ASSERT_EQ(cudaMemcpy(copies->from(), sent.data(), room, cudaMemcpyDefault), cudaSuccess);
      ASSERT_EQ(cudaMemcpy(copies->to(), poison.data(), room, cudaMemcpyDefault), cudaSuccess);
      const auto start = make_event();
      ASSERT_TRUE(start);
      cudaEventRecord(start->get(), nullptr);
      ASSERT_TRUE(copies->begin({.bytes = Bytes{count}, .direction = direction}, start->get()));
      const auto took = copies->wait(start->get());
      ASSERT_TRUE(took) << to_string(took.error());
      EXPECT_GT(*took, Nanoseconds{0});
      std::copy(sent.begin(), sent.begin() + count, poison.begin());
      EXPECT_EQ(bytes_at(copies->to(), room), poison) << name(direction) << ", " << count << " bytes";
      EXPECT_EQ(bytes_at(copies->from(), room), sent) << name(direction) << ", " << count << " bytes";
    }
  }
}

TEST_F(CopyBesideSteps, HaveRoomForSmallerCopiesOfTheirDirectionOnly) {
  const auto copies = CopyStream::of({.bytes = Bytes{64}, .direction = CopyDirection::to_host}, gpu);
  ASSERT_TRUE(copies);
  EXPECT_TRUE(copies->has_room({}));
  EXPECT_TRUE(copies->has_room({.bytes = Bytes{64}, .direction = CopyDirection::to_host}));
  EXPECT_FALSE(copies->has_room({.bytes = Bytes{65}, .direction = CopyDirection::to_host}));
  EXPECT_FALSE(copies->has_room({.bytes = Bytes{1}, .direction = CopyDirection::from_host}));
  EXPECT_EQ(copies->on_device(), Bytes{64});
}

/// Four layers as wide as those of an 8B model: a decode step reads 2 GB.
Case wide_case(const CopyBeside& copy) {
  Case c;
  Architecture a;
  a.layers = 4;
  a.hidden = 4096;
  a.heads = 32;
  a.kv_heads = 8;
  a.head_dim = 128;
  a.intermediate = 14336;
  a.vocab = 32000;
  c.models["model"] = a;
  c.plan.precision = {.weights = DType::bf16, .activations = DType::bf16, .kv = DType::bf16};
  c.plan.fusion = {.qkv = true, .gate_up = true, .residual_norm = true};
  c.plan.launch = {.graphs = true, .batch_buckets = {}, .overlap = true};
  c.workload = {.batch = 1, .prompt_tokens = 300, .output_tokens = 4, .copy_beside = copy};
  return c;
}
Step step_of(std::int64_t fresh, std::int64_t cached) {
  Slice slice{.fresh = fresh, .cached = cached, .block_table = std::vector<std::int32_t>(19)};
  std::iota(slice.block_table.begin(), slice.block_table.end(), 0);
  for (std::int64_t t = 0; t < fresh; ++t)
    slice.tokens.push_back(static_cast<std::int32_t>((cached + t) * 37 % 32000));
  return {.slices = {std::move(slice)}, .operations = {}};
}

TEST_F(CopyBesideSteps, LeaveTheTokensAndNeverTakeLongerThanOneAfterTheOther) {
  for (const CopyDirection direction : directions) {
    const CopyBeside copy{.bytes = Bytes{direction == CopyDirection::within_device ? 1 << 30 : 1 << 25},
                          .direction = direction};
    const Case c = wide_case(copy);
    const auto structure = compile(c.model(), c.plan);
    ASSERT_TRUE(structure);
    auto backend = CudaBackend::open({});
    ASSERT_TRUE(backend) << to_string(backend.error());
    const auto used = (*backend)->prepare(c, *structure);
    ASSERT_TRUE(used) << to_string(used.error());
    const auto timer = (*backend)->timer();
    Step copy_only;
    copy_only.copy_beside = copy;
    for (const auto& [fresh, cached] : {std::pair{300, 0}, std::pair{1, 300}}) {
      const Step alone = step_of(fresh, cached);
      Step beside = alone;
      beside.copy_beside = copy;
      for (int round = 0; round < 3; ++round) {
        const auto step = timer->time(alone);
        ASSERT_TRUE(step) << to_string(step.error());
        EXPECT_EQ(timer->copied(), Nanoseconds{0});
        const std::vector<std::int32_t> tokens = (*backend)->output().tokens;
        ASSERT_TRUE(timer->time(copy_only));
        EXPECT_GT(timer->copied(), Nanoseconds{0});
        const auto both = timer->time(beside);
        ASSERT_TRUE(both) << to_string(both.error());
        EXPECT_GT(timer->copied(), Nanoseconds{0});
        EXPECT_EQ((*backend)->output().tokens, tokens);
      }
    }
    Step larger = step_of(1, 300);
    larger.copy_beside = {.bytes = copy.bytes + Bytes{1}, .direction = direction};
    EXPECT_FALSE(timer->time(larger));
  }
}

}  // namespace
}  // namespace inferometer::cuda
