#include "model/optimizations.hpp"

#include <algorithm>
#include <array>

#include "model/reader.hpp"
#include "model/settings.hpp"

namespace inferometer {
namespace {

using Edits = std::vector<SettingEdit>;

std::string always(const Case&) { return ""; }
std::string needs_gpu(const Case& c) {
  return c.cluster.device.kind == DeviceKind::gpu ? ""
                                                  : "needs a GPU; " + c.cluster.device.name + " is a CPU";
}
std::string needs_fp8(const Case& c) {
  return c.cluster.device.matrix.contains(DType::fp8) ? ""
                                                      : c.cluster.device.name + " has no fp8 matrix units";
}
std::string needs_int8(const Case& c) {
  return c.cluster.device.matrix.contains(DType::int8) ? ""
                                                       : c.cluster.device.name + " has no int8 matrix rate";
}
std::string needs_plain_attention(const Case& c) {
  return c.model().latent ? "the model has latent attention: one latent for all heads" : "";
}
std::string needs_plain_attention_on_gpu(const Case& c) {
  const std::string why = needs_gpu(c);
  return why.empty() ? needs_plain_attention(c) : why;
}
std::string needs_attention_of_cudnn(const Case& c) {
  if (const std::string why = needs_plain_attention_on_gpu(c); !why.empty()) return why;
  return c.model().attention_sinks ? "the model has attention sinks, which only our own kernels know" : "";
}
std::string needs_products_without_bias_on_gpu(const Case& c) {
  const std::string why = needs_gpu(c);
  return !why.empty() || !c.model().mlp_bias ? why : "products with a bias take nothing along";
}
std::string needs_grouped_heads(const Case& c) {
  if (const std::string why = needs_plain_attention(c); !why.empty()) return why;
  return c.model().kv_heads < c.model().heads ? "" : "the model has a key head for each query head already";
}
std::string needs_whole_products_on_gpu(const Case& c) {
  const std::string why = needs_gpu(c);
  return !why.empty() || c.plan.parallel.tensor == 1 ? why : "products are summed over devices first";
}
std::string needs_dense_last_layer(const Case& c) {
  return c.model().is_sparse(c.model().layers - 1) ? "the last layer's experts take the rows of all tokens"
                                                   : "";
}
std::string needs_experts(const Case& c) { return c.model().moe ? "" : "the model has no experts"; }
std::string needs_experts_on_gpu(const Case& c) {
  const std::string why = needs_gpu(c);
  return why.empty() ? needs_experts(c) : why;
}

const std::array list{
    Optimization{
        "f32", "baseline", "everything in single precision", "exact reference; twice the bytes of bf16",
        [](const Case&) {
          return Edits{
              {"precision.weights", "f32"}, {"precision.activations", "f32"}, {"precision.kv", "f32"}};
        },
        &always},
    Optimization{"bf16", "baseline", "weights, activations and cache in bfloat16",
                 "halves the bytes of f32 and reaches the matrix units",
                 [](const Case&) {
                   return Edits{{"precision.weights", "bf16"},
                                {"precision.activations", "bf16"},
                                {"precision.kv", "bf16"}};
                 },
                 &always},
    Optimization{
        "w8a8-int8", "5.2 quantization of weights and activations (Q2)",
        "products multiply int8 weights by int8 inputs (dynamic, a scale per token); the head stays as it is",
        "halves weight bytes and doubles the matrix rate; no gain where quantising costs more than it saves",
        [](const Case& c) {
          const std::string head{name(c.plan.precision.weights.at(-1, Role::lm_head))};
          return Edits{{"precision.weights", "int8 lm_head=" + head + " absorb=" + head + " expand=" + head},
                       {"precision.inputs", "int8 lm_head=as_is"}};
        },
        &needs_int8},
    Optimization{
        "fp8", "5.2 quantization of weights and activations (Q2)",
        "products multiply fp8 weights by fp8 inputs (static, a scale per tensor); the head stays as it is",
        "halves weight bytes and doubles the matrix rate on Hopper and later",
        [](const Case& c) {
          const std::string head{name(c.plan.precision.weights.at(-1, Role::lm_head))};
          return Edits{{"precision.weights", "fp8 lm_head=" + head + " absorb=" + head + " expand=" + head},
                       {"precision.inputs", "fp8 lm_head=as_is"}};
        },
        &needs_fp8},
    Optimization{"w8a16", "5.2 weight-only quantization (Q1)",
                 "int8 weights, expanded inside the product; the head stays as it is",
                 "halves weight bytes of decode; prefill is no faster",
                 [](const Case& c) {
                   const std::string head{name(c.plan.precision.weights.at(-1, Role::lm_head))};
                   return Edits{{"precision.weights", "int8 lm_head=" + head}, {"precision.inputs", "as_is"}};
                 },
                 &always},
    Optimization{"w4a16", "5.2 weight-only quantization (Q1)",
                 "int4 weights in groups of 128, expanded inside the product; the head stays as it is",
                 "quarters the weight bytes of decode at small batch; slower prefill, no gain where the KV "
                 "cache dominates",
                 [](const Case& c) {
                   const std::string head{name(c.plan.precision.weights.at(-1, Role::lm_head))};
                   return Edits{{"precision.weights", "int4 lm_head=" + head}, {"precision.inputs", "as_is"}};
                 },
                 &always},
    Optimization{"kv-fp8", "5.2 KV cache quantization (Q3)", "the KV cache in fp8",
                 "halves cache bytes: longer contexts and larger batches fit; no gain at short context",
                 [](const Case&) {
                   return Edits{{"precision.kv", "fp8"}};
                 },
                 &needs_fp8},
    Optimization{
        "mha", "5.1 multi-query attention (M2), undone", "a key and value head for each query head",
        "the baseline that grouped heads are measured against; more cache bytes and wider projections",
        [](const Case& c) {
          return Edits{{"architecture.kv_heads", std::to_string(c.model().heads)}};
        },
        &needs_grouped_heads},
    Optimization{"mqa", "5.1 multi-query attention (M2)", "one key and value head for all query heads",
                 "least cache; helps long contexts and large batches, changes quality",
                 [](const Case&) {
                   return Edits{{"architecture.kv_heads", "1"}};
                 },
                 &needs_plain_attention},
    Optimization{"fused-qkv", "6.1 graph-level optimization (G1)",
                 "query, key and value projections as one product",
                 "fewer launches and a wider product; only launches count once bytes dominate",
                 [](const Case&) {
                   return Edits{{"fusion.qkv", "true"}};
                 },
                 &needs_plain_attention},
    Optimization{"fused-gate-up", "6.1 graph-level optimization (G1)",
                 "gate and up projections as one product", "fewer launches and a wider product",
                 [](const Case&) {
                   return Edits{{"fusion.gate_up", "true"}};
                 },
                 &always},
    Optimization{"fused-residual-norm", "6.1 graph-level optimization (G1)",
                 "residual addition inside the norm behind it; the last one takes only the rows whose logits "
                 "are wanted",
                 "saves a pass over the activations and a launch",
                 [](const Case&) {
                   return Edits{{"fusion.residual_norm", "true"}};
                 },
                 &always},
    Optimization{
        "fused-residual-product", "6.1 operator fusion",
        "residual addition inside the product before it, but for products of int4 weights",
        "saves prompts a pass over the product's outputs; nothing in steps of few tokens, of which those "
        "of one take longer, and where experts give the sum",
        [](const Case&) {
          return Edits{{"fusion.residual_product", "true"}};
        },
        &needs_whole_products_on_gpu},
    Optimization{"early-gather", "beside the survey",
                 "behind the last attention only rows whose logits are wanted are computed",
                 "saves prompts most of the last layer's products; in steps of one token a sequence all rows "
                 "are wanted, and gathering them costs a launch, or two where the last norm would add",
                 [](const Case&) {
                   return Edits{{"fusion.early_gather", "true"}};
                 },
                 &needs_dense_last_layer},
    Optimization{"naive-attention", "6.1 attention (O1), undone",
                 "attention that writes its scores to memory",
                 "the baseline that tiled attention is measured against",
                 [](const Case&) {
                   return Edits{{"kernels.attention", "naive"}};
                 },
                 &always},
    Optimization{"flash-attention", "6.1 attention (O1)",
                 "attention over tiles of keys with an online softmax",
                 "no traffic and memory in the square of the context; no gain for short prompts",
                 [](const Case&) {
                   return Edits{{"kernels.attention", "tiled"}};
                 },
                 &always},
    Optimization{
        "cudnn-attention", "6.1 attention (O1)",
        "prompts without history attended by cuDNN, the rest as by flash-attention",
        "compute-bound prompts, where its kernels are faster than ours; nothing in decode steps and in "
        "pieces of a prompt behind the first",
        [](const Case&) {
          return Edits{{"kernels.attention", "cudnn"}};
        },
        &needs_attention_of_cudnn},
    Optimization{"grouped-experts", "6.1 mixture-of-experts kernels (O4)",
                 "all experts of a layer in one launch", "saves a launch per expert; matters at small batch",
                 [](const Case&) {
                   return Edits{{"kernels.experts", "grouped"}};
                 },
                 &needs_experts},
    Optimization{"expert-loop", "6.1 mixture-of-experts kernels (O4), undone",
                 "one product after another for each expert",
                 "the baseline that grouped experts are measured against",
                 [](const Case&) {
                   return Edits{{"kernels.experts", "loop"}};
                 },
                 &needs_experts},
    Optimization{
        "cuda-graphs", "beside the survey", "each step replayed as one recorded graph",
        "removes host launches from the critical path of small steps; padding costs at odd batch sizes",
        [](const Case&) {
          return Edits{{"launch.graphs", "true"}};
        },
        &needs_gpu},
    Optimization{"fused-rope-kv", "6.1 operator fusion", "rotary embedding and cache write in one kernel",
                 "saves a launch and reading the keys again",
                 [](const Case&) {
                   return Edits{{"fusion.rope_kv", "true"}};
                 },
                 &needs_gpu},
    Optimization{
        "fused-rope-attention", "6.1 operator fusion",
        "steps of one token a sequence: rotary embedding and cache write inside the attention kernel",
        "saves a launch and a wait a layer; each block of a key head rotates its queries for itself",
        [](const Case&) {
          return Edits{{"fusion.rope_attention", "true"}};
        },
        &needs_plain_attention_on_gpu},
    Optimization{"fused-norm-product", "6.1 operator fusion",
                 "steps of one token: a norm inside the product that reads it",
                 "saves a launch; each multiprocessor norms the row for itself",
                 [](const Case&) {
                   return Edits{{"fusion.norm_product", "true"}};
                 },
                 &needs_gpu},
    Optimization{
        "fused-norm-epilogue", "6.1 operator fusion",
        "steps of 2 to 64 tokens (32 where weights are int4): a residual norm inside the product before it",
        "saves a launch and a wait where weights are bf16 or int4, nothing elsewhere; the product behind it "
        "scales its own outputs by what the rows' squares add up to; weights that were fetched during "
        "the norm are waited for instead, so that little is gained with many tokens",
        [](const Case&) {
          return Edits{{"fusion.residual_norm", "true"}, {"fusion.norm_epilogue", "true"}};
        },
        &needs_gpu},
    Optimization{
        "fused-gated-product", "6.1 operator fusion",
        "steps of one token: the gated activation inside the product that reads it",
        "saves a launch, but every multiprocessor repeats the activation: it costs more where the block is "
        "wide",
        [](const Case&) {
          return Edits{{"fusion.gated_product", "true"}, {"fusion.gated_epilogue", "false"}};
        },
        &needs_gpu},
    Optimization{"fused-gated-epilogue", "6.1 operator fusion",
                 "the gated activation inside the product that makes its gate and up: in steps of up to 128 "
                 "tokens and of more that fill tiles of 128 (32 at most where weights are int4)",
                 "saves a launch and a pass over gate and up, which become one product; excludes "
                 "fused-gated-product",
                 [](const Case&) {
                   return Edits{{"fusion.gate_up", "true"},
                                {"fusion.gated_product", "false"},
                                {"fusion.gated_epilogue", "true"}};
                 },
                 &needs_products_without_bias_on_gpu},
    Optimization{"fused-quantize", "6.1 operator fusion",
                 "static quantization of inputs inside the kernel that makes them",
                 "saves a pass over the inputs of products and a launch; nothing where inputs are not fp8",
                 [](const Case&) {
                   return Edits{{"fusion.quantize", "true"}};
                 },
                 &needs_gpu},
    Optimization{
        "fused-norm-router", "6.1 operator fusion",
        "steps of up to 64 tokens: a norm, the router and its choice in one kernel",
        "saves two launches a layer, and the router's few outputs a product that waits for its parts",
        [](const Case&) {
          return Edits{{"fusion.norm_router", "true"}};
        },
        &needs_experts_on_gpu},
    Optimization{
        "fused-experts", "6.1 mixture-of-experts kernels (O4)",
        "steps of one token: both products of a mixture's experts and their sum in one kernel",
        "the stream of weights does not stop between the products; needs fused-gate-up, nothing otherwise",
        [](const Case&) {
          return Edits{{"fusion.experts", "true"}};
        },
        &needs_experts_on_gpu},
    Optimization{
        "dependent-launch", "beside the survey",
        "each kernel is set up, and its weights fetched, while the one before drains",
        "hides launches and the ramp of the memory stream between small kernels; nothing between long ones",
        [](const Case&) {
          return Edits{{"launch.overlap", "true"}};
        },
        &needs_gpu},
};

}  // namespace

std::span<const Optimization> optimizations() { return list; }

const Optimization* find_optimization(std::string_view wanted) {
  for (const Optimization& o : list) {
    if (o.name == wanted) return &o;
  }
  return nullptr;
}

namespace {

Errors unknown(const std::string& wanted) {
  std::vector<std::string> known;
  for (const Optimization& each : list) known.emplace_back(each.name);
  const std::string near = nearest(wanted, known);
  return {{"unknown optimization \"" + wanted + "\"" +
           (near.empty() ? "; see `inferometer list optimizations`" : "; did you mean \"" + near + "\"?")}};
}

/// What was set so far, and by which optimization.
struct Made {
  SettingEdit edit;
  std::string by;
};

/// Notes that `by` makes `edit`; an error when another one made a different one.
Errors note(std::vector<Made>& made, SettingEdit edit, const std::string& by, bool override_earlier) {
  for (Made& earlier : made) {
    if (earlier.edit.path != edit.path) continue;
    if (earlier.edit.value != edit.value && !override_earlier) {
      return {{"\"" + earlier.by + "\" and \"" + by + "\" both set " + edit.path + ", to \"" +
               earlier.edit.value + "\" and \"" + edit.value + "\"; leave one out, or say override: true"}};
    }
    earlier = {std::move(edit), by};
    return {};
  }
  made.push_back({std::move(edit), by});
  return {};
}

}  // namespace

Result<std::vector<SettingEdit>> apply(Case& c, const std::vector<std::string>& names,
                                       bool override_earlier) {
  const auto append = [](Errors& all, const Errors& more) {
    all.insert(all.end(), more.begin(), more.end());
  };
  Case edited = c;
  std::vector<Made> made;
  Errors errors;
  for (const std::string& wanted : names) {
    const Optimization* o = find_optimization(wanted);
    if (o == nullptr) {
      append(errors, unknown(wanted));
      continue;
    }
    const Case& judged = override_earlier ? edited : c;
    if (const std::string why = o->obstacle(judged); !why.empty()) {
      errors.push_back({"\"" + wanted + "\": " + why});
      continue;
    }
    for (SettingEdit& edit : o->edits(judged)) {
      if (auto set = set_setting(edited, edit.path, edit.value); !set) append(errors, set.error());
      append(errors, note(made, std::move(edit), wanted, override_earlier));
    }
  }
  if (!errors.empty()) return failure(std::move(errors));
  c = std::move(edited);
  Edits edits;
  for (Made& m : made) edits.push_back(std::move(m.edit));
  return edits;
}

}  // namespace inferometer
