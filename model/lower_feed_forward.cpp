#include "model/lowering.hpp"

namespace inferometer {
namespace {

struct DenseRoles {
  Role gate, up, activation, down;
};

View dense(StructureBuilder& b, const Architecture& a, View x, const std::string& at, std::int64_t width,
           const DenseRoles& roles) {
  const std::int64_t local = width / b.plan().parallel.tensor;
  const View gate = b.linear(roles.gate, x, local, at + "gate_proj", a.mlp_bias);
  const View up = b.linear(roles.up, x, local, at + "up_proj", a.mlp_bias);
  const View y = b.gated(roles.activation, gate, up, a.activation, Rows::tokens);
  return b.linear(roles.down, y, a.hidden, at + "down_proj", a.mlp_bias);
}

/// Where a family's checkpoints keep expert `e`'s projection.
std::string expert_tensor(const Architecture& a, const std::string& at, std::int64_t e, Role role) {
  const std::string expert = at + "experts." + std::to_string(e) + ".";
  if (a.family == "MixtralForCausalLM") {
    return expert + (role == Role::expert_gate ? "w1" : role == Role::expert_up ? "w3" : "w2") + ".weight";
  }
  return expert +
         (role == Role::expert_gate ? "gate_proj"
          : role == Role::expert_up ? "up_proj"
                                    : "down_proj") +
         ".weight";
}

View experts(StructureBuilder& b, const Architecture& a, const std::string& at, View x, View ids, Role role,
             std::int64_t out, bool per_assignment) {
  const MixtureOfExperts& m = *a.moe;
  // Whole experts: each row that reaches this device is for one of its own.
  const std::int64_t devices = b.plan().parallel.expert_devices();
  const std::int64_t here = m.experts / devices;
  const bool packed =
      a.family == "GptOssForCausalLM";  // gate and up interleaved, [experts, in, out], with biases
  const DType w = b.plan().precision.weights.at(b.layer(), role);
  const View y = b.buffer(name(role), devices > 1 ? Rows::received : Rows::assignments, out, b.activations());
  WeightSpec spec{at + "experts." + std::string{name(role)}, here, out, x.columns, {w}, {}};
  WeightSpec bias{spec.name + ".bias", here, 1, out, {DType::f32}, {}};
  const bool down = role == Role::expert_down;
  const std::string tensor = at + "experts." + (down ? "down_proj" : "gate_up_proj");
  for (std::int64_t e = 0; e < here; ++e) {
    if (!packed) {
      spec.parts.push_back({.tensor = expert_tensor(a, at, e, role), .matrix = e, .rows = out});
      continue;
    }
    WeightPart part{.tensor = tensor,
                    .matrix = e,
                    .rows = out,
                    .source_row = role == Role::expert_up ? 1 : 0,
                    .source_stride = down ? 1 : 2,
                    .source_matrix = e,
                    .transposed = true};
    spec.parts.push_back(part);
    part.tensor += "_bias";
    part.transposed = false;
    bias.parts.push_back(std::move(part));
  }
  std::vector<std::int32_t> weights{b.weight(std::move(spec))};
  if (packed) weights.push_back(b.weight(std::move(bias)));
  b.node(role,
         ExpertLinear{.experts = here,
                      .top_k = devices > 1 ? 1 : m.top_k,
                      .in = x.columns,
                      .out = out,
                      .per_assignment = per_assignment,
                      .x = b.activations(),
                      .y = b.activations(),
                      .w = {w},
                      .bias = packed,
                      .kernel = b.plan().kernels.experts},
         devices > 1 ? Rows::received : Rows::tokens, {x, ids}, {y}, std::move(weights));
  return y;
}

/// Between the replicas of attention and the devices with their experts.
View exchange(StructureBuilder& b, const Architecture& a, Role role, View x, Rows rows) {
  const Plan::Parallel& p = b.plan().parallel;
  const View y = b.buffer(name(role), rows, a.hidden, b.activations());
  b.node(role,
         AllToAll{.width = a.hidden,
                  .experts = a.moe->experts,
                  .top_k = a.moe->top_k,
                  .ranks = p.expert_devices(),
                  .senders = p.tensor,
                  .dtype = b.activations()},
         Rows::tokens, {x}, {y});
  return y;
}

View routed(StructureBuilder& b, const Architecture& a, View x) {
  const MixtureOfExperts& m = *a.moe;
  const std::string layer = "model.layers." + std::to_string(b.layer()) + ".";
  const std::string at = layer + (a.family == "MixtralForCausalLM" ? "block_sparse_moe." : "mlp.");
  const std::string gate_name = a.family == "GptOssForCausalLM" ? "router" : "gate";
  const View logits = b.linear(Role::router, x, m.experts, at + gate_name, m.router_bias);
  const View ids = b.buffer("expert_ids", Rows::tokens, m.top_k, DType::i32);
  const View weights = b.buffer("expert_weights", Rows::tokens, m.top_k, DType::f32);
  std::vector<std::int32_t> correction;
  if (m.score_correction_bias) {
    correction.push_back(b.vector(at + "gate.e_score_correction_bias", m.experts, DType::f32));
  }
  b.node(Role::route,
         Router{.experts = m.experts,
                .top_k = m.top_k,
                .score = m.score,
                .softmax_after_top_k = m.softmax_after_top_k,
                .normalize = m.normalize_top_k,
                .correction = m.score_correction_bias,
                .groups = m.groups,
                .top_groups = m.top_groups,
                .group_rank = m.group_rank,
                .scaling = m.scaling},
         Rows::tokens, {logits}, {ids, weights}, std::move(correction));
  const Plan::Parallel& parallel = b.plan().parallel;
  const bool whole = parallel.expert_devices() > 1;
  const View sent = parallel.data > 1 ? exchange(b, a, Role::dispatch, x, Rows::received) : x;
  const std::int64_t width = whole ? m.intermediate : m.intermediate / parallel.tensor;
  const View gate = experts(b, a, at, sent, ids, Role::expert_gate, width, false);
  const View up = experts(b, a, at, sent, ids, Role::expert_up, width, false);
  const View y =
      b.gated(Role::expert_activation, gate, up, a.activation, whole ? Rows::received : Rows::assignments);
  View down = experts(b, a, at, y, ids, Role::expert_down, a.hidden, true);
  if (parallel.data > 1) down = exchange(b, a, Role::collect, down, Rows::assignments);
  const View mixed = b.buffer("combine", Rows::tokens, a.hidden, b.activations());
  // Devices that hold the same tokens have a part each of what their experts, or those afar, give.
  const std::int64_t rows_here = whole ? (m.top_k + parallel.tensor - 1) / parallel.tensor : m.top_k;
  b.node(Role::combine, ExpertCombine{.top_k = rows_here, .width = a.hidden, .dtype = b.activations()},
         Rows::tokens, {down, weights}, {mixed});
  if (m.shared_intermediate == 0) return mixed;
  const View shared = dense(b, a, x, at + "shared_experts.", m.shared_intermediate,
                            {Role::shared_gate, Role::shared_up, Role::shared_activation, Role::shared_down});
  return b.add(shared, mixed);
}

/// Stages get as many layers each; the first ones what is left over.
bool begins_stage(std::int64_t layer, std::int64_t layers, std::int64_t stages) {
  const std::int64_t each = layers / stages, more = layers % stages;
  const std::int64_t wider = more * (each + 1);  // layers of the stages that have one more
  return layer > 0 && (layer <= wider ? layer % (each + 1) == 0 : (layer - wider) % each == 0);
}

}  // namespace

View lower_feed_forward(StructureBuilder& b, const Architecture& a, View x) {
  if (a.is_sparse(b.layer())) return b.all_reduce(routed(b, a, x));
  const std::string at = "model.layers." + std::to_string(b.layer()) + ".mlp.";
  return b.all_reduce(
      dense(b, a, x, at, a.intermediate, {Role::gate, Role::up, Role::activation, Role::down}));
}

void lower(Structure& s, const Architecture& a, const Plan& plan) {
  StructureBuilder b(s, plan);
  if (a.moe) s.assignments_per_token = a.moe->top_k;
  s.expert_devices = plan.parallel.expert_devices();
  b.enter(-1, "");
  View x = b.buffer("embed", Rows::tokens, a.hidden, b.activations());
  const std::string table = "model.embed_tokens.weight";
  const std::int32_t embedding =
      b.weight({table, 1, a.vocab, a.hidden, {b.activations()}, {{.tensor = table, .rows = a.vocab}}});
  b.node(Role::embed, Embedding{.vocab = a.vocab, .width = a.hidden, .dtype = b.activations()}, Rows::tokens,
         {}, {x}, {embedding});
  for (std::int64_t layer = 0; layer < a.layers; ++layer) {
    const std::string at = "layers." + std::to_string(layer) + ".";
    const std::string tensors = "model." + at;
    if (begins_stage(layer, a.layers, plan.parallel.pipeline)) {
      b.enter(layer, at);
      x = b.hand_over(x);
    }
    const auto normed = [&](const std::string& tensor) {
      return b.norm(Role::norm, x, b.buffer("norm", Rows::tokens, a.hidden, b.activations()),
                    tensors + tensor, 1, a.norm_eps);
    };
    b.enter(layer, at + "attention.");
    const View attended = normed("input_layernorm");
    x = b.add(a.latent ? lower_latent_attention(b, a, attended) : lower_attention(b, a, attended), x);
    b.enter(layer, at + "mlp.");
    x = b.add(lower_feed_forward(b, a, normed("post_attention_layernorm")), x);
  }
  b.enter(-1, "");
  const View last = b.buffer("gather", Rows::logits, a.hidden, b.activations());
  b.node(Role::gather, GatherRows{.width = a.hidden, .dtype = b.activations()}, Rows::logits, {x}, {last});
  const View normed = b.norm(Role::norm, last, b.buffer("norm", Rows::logits, a.hidden, b.activations()),
                             "model.norm", 1, a.norm_eps, Rows::logits);
  // A tied head shares the table's bytes only where both are kept in one format.
  const std::string head = a.tied_embeddings ? "model.embed_tokens" : "lm_head";
  const View logits = b.linear(Role::lm_head, normed, a.vocab, head, false, Rows::logits);
  if (a.tied_embeddings && plan.precision.weights.at(-1, Role::lm_head) == b.activations()) {
    s.nodes.back().weights = {embedding};
    s.weights.pop_back();
  }
  s.logits = logits.buffer;
  const View ids = b.buffer("sample", Rows::logits, 1, DType::i32);
  b.node(Role::sample, Argmax{.vocab = a.vocab, .dtype = DType::f32}, Rows::logits, {logits}, {ids});
}

}  // namespace inferometer
