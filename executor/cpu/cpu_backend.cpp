#include "executor/cpu/cpu_backend.hpp"

#include <algorithm>
#include <chrono>

#include "executor/cpu/host_device.hpp"
#include "executor/cpu/reading.hpp"
#include "executor/cpu/run_node.hpp"
#include "executor/cpu/supported.hpp"
#include "executor/weights/checkpoint.hpp"
#include "executor/weights/rope_table.hpp"
#include "executor/weights/seeded_weights.hpp"

namespace inferometer {

using Clock = std::chrono::steady_clock;

struct CpuBackend::Impl {
  CpuOptions options;
  int threads = 1;
  cpu::Products products;
  Structure structure;
  Rope rope;
  std::int64_t vocab = 0, rotary = 0;
  std::vector<cpu::Constant> constants;
  cpu::CachedState state;
  cpu::AlignedBuffer arena;
  cpu::Scratch scratch;
  std::vector<float> rope_rows;
  Output output;
  std::optional<cpu::MemoryProbe> memory;
  bool keep_logits = false;

  Done load(std::uint64_t seed);
  void reserve(const Pass& pass);
  /// Runs a pass; `after` is called behind the set-up (-1) and behind each node.
  template <class After>
  void execute(const Pass& pass, After after);
  /// Checks a step and makes room for it, before anything is changed or timed.
  Result<Pass> plan(const Step& step);
  void collect_output(const Pass& pass);
};

Done CpuBackend::Impl::load(std::uint64_t seed) {
  std::unique_ptr<WeightReader> reader = std::make_unique<SeededWeights>(seed);
  if (!options.weights.empty()) {
    Result<Checkpoint> checkpoint = Checkpoint::open(options.weights);
    if (!checkpoint) return failure(checkpoint.error());
    reader = std::make_unique<Checkpoint>(std::move(*checkpoint));
  }
  auto loaded = cpu::load_constants(structure, *reader, products);
  if (!loaded) return failure(loaded.error());
  constants = std::move(*loaded);
  return std::monostate{};
}

/// Memory that a step needs and earlier ones did not.
void CpuBackend::Impl::reserve(const Pass& pass) {
  if (pass.memory.total.value > arena.size()) arena = cpu::AlignedBuffer(pass.memory.total.value);
  std::int64_t positions = 0;
  for (const AttentionSlice& s : pass.features.slices) positions = std::max(positions, s.cached + s.fresh);
  if (static_cast<std::int64_t>(rope_rows.size()) < positions * rotary)
    rope_rows = rope_table(rope, rotary, std::max<std::int64_t>(positions, 256));
}

template <class After>
void CpuBackend::Impl::execute(const Pass& pass, After after) {
  for (const StateOperation& o : pass.step->operations) {
    if (o.kind == StateOperation::Kind::copy_block) state.copy_block(o.from, o.to);
  }
  const cpu::NodeContext context{.structure = structure,
                                 .pass = pass,
                                 .state = state,
                                 .constants = constants,
                                 .rope = rope_rows,
                                 .arena = arena.data(),
                                 .products = products,
                                 .scratch = scratch,
                                 .threads = threads};
  after(-1);
  for (std::size_t i = 0; i < structure.nodes.size(); ++i) {
    cpu::run_node(context, i);
    after(static_cast<std::int32_t>(i));
  }
}

void CpuBackend::Impl::collect_output(const Pass& pass) {
  const auto start = [&](std::int64_t buffer) {
    return arena.data() + pass.memory.offset[static_cast<std::size_t>(buffer)].value;
  };
  const auto rows = static_cast<std::size_t>(pass.features.logit_rows);
  const auto* ids = reinterpret_cast<const std::int32_t*>(start(structure.nodes.back().writes[0].buffer));
  output.tokens.assign(ids, ids + rows);
  output.logits.clear();
  if (!keep_logits) return;
  const auto* logits = reinterpret_cast<const float*>(start(structure.logits));
  output.logits.assign(logits, logits + rows * static_cast<std::size_t>(vocab));
}

Result<Pass> CpuBackend::Impl::plan(const Step& step) {
  Result<StepInputs> inputs = step_inputs(step, {state.blocks(), state.block_tokens()}, vocab);
  if (!inputs) return failure(inputs.error());
  Pass pass = pass_of(structure, step, std::move(*inputs));
  reserve(pass);
  return pass;
}

namespace {

Nanoseconds since(Clock::time_point start) {
  return std::chrono::duration_cast<Nanoseconds>(Clock::now() - start);
}

}  // namespace

CpuBackend::CpuBackend(CpuOptions options) : impl_(std::make_unique<Impl>()) {
  impl_->options = std::move(options);
  impl_->threads = impl_->options.threads > 0 ? impl_->options.threads : cpu::available_threads();
  cpu::set_threads(impl_->threads);
  impl_->memory.emplace(cpu::cache_capacity(impl_->threads), impl_->threads);
}
CpuBackend::~CpuBackend() = default;

Result<MemoryUse> CpuBackend::prepare(const Case& c, const Structure& structure) {
  Impl& m = *impl_;
  // What the last case held is given back first: the new one is planned against all of the memory.
  m.structure = structure;
  m.constants.clear();
  m.state = {};
  m.arena = {};
  m.rope_rows.clear();
  m.scratch = {};
  if (Errors errors = cpu::not_executed(c, structure); !errors.empty()) return failure(std::move(errors));
  MemoryUse planned = memory_budget(c, structure);
  planned.capacity = cpu::available_memory();
  if (!planned.fits()) {
    return failure("backend cpu: needs " + std::to_string(planned.total().value) + " bytes of memory, " +
                   std::to_string(planned.capacity.value) + " are available");
  }
  const Architecture& a = c.model();
  m.rope = a.rope;
  m.vocab = a.vocab;
  m.rotary = a.latent ? a.latent->rope_dim
                      : static_cast<std::int64_t>(static_cast<double>(a.head_dim) * a.rope.partial_factor);
  if (const Done loaded = m.load(c.draws.seed); !loaded) return failure(loaded.error());
  const std::int64_t block = c.plan.kv.block_tokens;
  const std::int64_t tokens = c.workload.prompt_tokens + c.workload.output_tokens;
  m.state = cpu::CachedState(m.structure, c.workload.batch * ((tokens + block - 1) / block), block);
  m.arena = cpu::AlignedBuffer(planned.activations.value);
  MemoryUse used{.weights = Bytes{0},
                 .kv = m.state.bytes(),
                 .activations = Bytes{m.arena.size()},
                 .workspace = planned.workspace,  // grows to that when a step first needs it
                 .capacity = planned.capacity};
  for (const cpu::Constant& constant : m.constants) used.weights += constant.bytes();
  return used;
}

Result<Timeline> CpuBackend::run(const Graph& graph, const Step& step) {
  Impl& m = *impl_;
  require(num_vertices(graph) == m.structure.nodes.size(), "a graph of the prepared structure");
  const Result<Pass> pass = m.plan(step);
  if (!pass) return failure(pass.error());
  Timeline timeline;
  timeline.spans.reserve(m.structure.nodes.size() + 1);
  const Clock::time_point start = Clock::now();
  m.execute(*pass, [&](std::int32_t node) {
    const Nanoseconds now = since(start);
    Span span{.nodes = {},
              .kind = SpanKind::host,
              .start = timeline.end,
              .duration = now - timeline.end,
              .kernel = "state operations"};
    if (node >= 0) {
      const AnyOperator& op = m.structure.nodes[static_cast<std::size_t>(node)].op;
      span.nodes = {node};
      span.kind = std::holds_alternative<Argmax>(op) ? SpanKind::sampling : SpanKind::kernel;
      span.kernel = inferometer::name(op);
    }
    timeline.spans.push_back(std::move(span));
    timeline.end = now;
  });
  m.collect_output(*pass);
  m.memory->after_step(timeline.end);
  return timeline;
}

void CpuBackend::begin_memory_reads() { impl_->memory->begin(); }
std::optional<MemoryReads> CpuBackend::end_memory_reads() { return impl_->memory->end(); }
const Output& CpuBackend::output() const { return impl_->output; }
void CpuBackend::keep_logits(bool keep) { impl_->keep_logits = keep; }

std::unique_ptr<StepTimer> CpuBackend::timer() {
  struct Timer final : StepTimer {
    explicit Timer(Impl& i) : impl(i) {}
    Result<Nanoseconds> time(const Step& step) override {
      const Result<Pass> pass = impl.plan(step);
      if (!pass) return failure(pass.error());
      const Clock::time_point start = Clock::now();
      impl.execute(*pass, [](std::int32_t) {});
      const Nanoseconds took = since(start);
      impl.collect_output(*pass);
      impl.memory->after_step(took);
      return took;
    }
    Impl& impl;
  };
  return std::make_unique<Timer>(*impl_);
}

}  // namespace inferometer
