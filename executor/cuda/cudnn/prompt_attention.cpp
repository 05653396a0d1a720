#include "executor/cuda/cudnn/prompt_attention.hpp"

#define CUDNN_FRONTEND_SKIP_JSON_LIB
#include <cudnn_frontend.h>

#include <map>
#include <unordered_map>

#include "executor/cuda/device_buffer.hpp"

namespace inferometer::cuda {
namespace {

namespace frontend = cudnn_frontend;

/// What a plan is compiled for.
struct Shape {
  std::int64_t prompts = 0, tokens = 0, heads = 0, kv_heads = 0, head_dim = 0, window = 0;
  std::int64_t q_stride = 0, k_stride = 0, v_stride = 0, y_stride = 0;
  float scale = 1.0F;
  friend auto operator<=>(const Shape&, const Shape&) = default;
};

enum Id : std::int64_t { q_id = 1, k_id, v_id, y_id };

struct CompiledPlan {
  frontend::graph::Graph graph;
  Bytes workspace{0};
};

Done checked(frontend::error_t error, const char* what) {
  if (error.is_good()) return std::monostate{};
  return failure("cuda: cuDNN: " + std::string{what} + ": " + error.get_message());
}

/// Keys before a window are hidden, and those behind the query: with as many keys as queries both masks hang
/// on the diagonal from the first query and key on.
Result<std::unique_ptr<CompiledPlan>> compile(const Shape& s, cudnnHandle_t handle) {
  auto plan = std::make_unique<CompiledPlan>();
  frontend::graph::Graph& graph = plan->graph;
  graph.set_io_data_type(frontend::DataType_t::BFLOAT16)
      .set_intermediate_data_type(frontend::DataType_t::FLOAT)
      .set_compute_data_type(frontend::DataType_t::FLOAT);
  const auto dims = [&](std::int64_t heads) {
    return std::vector<std::int64_t>{s.prompts, heads, s.tokens, s.head_dim};
  };
  const auto strides = [&](std::int64_t row) {
    return std::vector<std::int64_t>{s.tokens * row, s.head_dim, row, 1};
  };
  const auto input = [&](const char* name, Id id, std::int64_t heads, std::int64_t row) {
    return graph.tensor(frontend::graph::Tensor_attributes()
                            .set_name(name)
                            .set_uid(id)
                            .set_dim(dims(heads))
                            .set_stride(strides(row)));
  };
  auto options = frontend::graph::SDPA_attributes()
                     .set_name("attention")
                     .set_generate_stats(false)
                     .set_attn_scale(s.scale)
                     .set_diagonal_alignment(frontend::DiagonalAlignment_t::TOP_LEFT)
                     .set_diagonal_band_right_bound(0);
  if (s.window > 0 && s.window < s.tokens) options.set_diagonal_band_left_bound(static_cast<int>(s.window));
  const auto y = graph.sdpa(input("q", q_id, s.heads, s.q_stride), input("k", k_id, s.kv_heads, s.k_stride),
                            input("v", v_id, s.kv_heads, s.v_stride), std::move(options))[0];
  y->set_output(true).set_uid(y_id).set_dim(dims(s.heads)).set_stride(strides(s.y_stride));
  if (const Done done = checked(graph.build(handle, {frontend::HeurMode_t::A}), "a plan of attention"); !done)
    return failure(done.error());
  if (const Done done = checked(graph.get_workspace_size(plan->workspace.value), "its workspace"); !done)
    return failure(done.error());
  return plan;
}

/// How many prompts from the first on have its length and lie one behind the other.
std::size_t alike(std::span<const Sequence> prompts) {
  std::size_t n = 1;
  while (n < prompts.size() && prompts[n].fresh == prompts[0].fresh &&
         prompts[n].row == prompts[n - 1].row + prompts[0].fresh)
    ++n;
  return n;
}

class ByCudnn final : public PromptAttention {
 public:
  explicit ByCudnn(cudnnHandle_t handle) : handle_(handle) {}

  Done attend(const PromptArguments& a, std::span<const Sequence> prompts, cudaStream_t stream) override {
    if (const cudnnStatus_t status = cudnnSetStream(handle_.get(), stream); status != CUDNN_STATUS_SUCCESS)
      return failure("cuda: cudnnSetStream: " + std::string{cudnnGetErrorString(status)});
    while (!prompts.empty()) {
      const std::size_t count = alike(prompts);
      if (const Done done = launch(a, prompts.first(count)); !done) return done;
      prompts = prompts.subspan(count);
    }
    return std::monostate{};
  }

 private:
  struct Close {
    void operator()(cudnnHandle_t handle) const { cudnnDestroy(handle); }
  };

  Done launch(const PromptArguments& a, std::span<const Sequence> prompts) {
    const Result<CompiledPlan*> plan = plan_of({.prompts = static_cast<std::int64_t>(prompts.size()),
                                                .tokens = prompts[0].fresh,
                                                .heads = a.heads,
                                                .kv_heads = a.kv_heads,
                                                .head_dim = a.head_dim,
                                                .window = a.window,
                                                .q_stride = a.q.stride,
                                                .k_stride = a.k.stride,
                                                .v_stride = a.v.stride,
                                                .y_stride = a.y.stride,
                                                .scale = a.scale});
    if (!plan) return failure(plan.error());
    const std::int64_t row = prompts[0].row;
    const auto from = [&](const In& rows) { return const_cast<Bf16*>(rows.data + row * rows.stride); };
    std::unordered_map<std::int64_t, void*> operands{
        {q_id, from(a.q)}, {k_id, from(a.k)}, {v_id, from(a.v)}, {y_id, a.y.data + row * a.y.stride}};
    return checked((*plan)->graph.execute(handle_.get(), operands, workspace_.data()), "attention");
  }
  Result<CompiledPlan*> plan_of(const Shape& shape) {
    std::unique_ptr<CompiledPlan>& known = plans_[shape];
    if (known) return known.get();
    Result<std::unique_ptr<CompiledPlan>> plan = compile(shape, handle_.get());
    if (!plan) return failure(plan.error());
    if ((*plan)->workspace > workspace_.size()) {
      // What still runs in the old one ends before it is freed.
      Result<DeviceBuffer> larger = DeviceBuffer::of((*plan)->workspace);
      if (!larger) return failure(larger.error());
      workspace_ = std::move(*larger);
    }
    known = std::move(*plan);
    return known.get();
  }

  std::unique_ptr<cudnnContext, Close> handle_;
  DeviceBuffer workspace_;
  std::map<Shape, std::unique_ptr<CompiledPlan>> plans_;
};

}  // namespace

Result<std::unique_ptr<PromptAttention>> open_cudnn() {
  cudnnHandle_t handle = nullptr;
  if (const cudnnStatus_t status = cudnnCreate(&handle); status != CUDNN_STATUS_SUCCESS)
    return failure("cuda: cudnnCreate: " + std::string{cudnnGetErrorString(status)});
  return std::unique_ptr<PromptAttention>(std::make_unique<ByCudnn>(handle));
}

std::string cudnn_missing() { return ""; }

std::string cudnn_version() {
  const std::size_t v = cudnnGetVersion();  // 91400 is 9.14.0
  return std::to_string(v / 10000) + "." + std::to_string(v / 100 % 100) + "." + std::to_string(v % 100);
}

}  // namespace inferometer::cuda
