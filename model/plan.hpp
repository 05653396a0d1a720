#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "model/selected.hpp"

namespace inferometer {

/// What the inputs of a matrix product are quantised to on the way in.
enum class InputFormat : std::uint8_t {
  as_is,  ///< the activations' own dtype
  int8,   ///< dynamic, one scale per token
  fp8     ///< static, one scale per tensor
};
template <>
struct Names<InputFormat> {
  static constexpr std::array list{std::pair{InputFormat::as_is, std::string_view{"as_is"}},
                                   std::pair{InputFormat::int8, std::string_view{"int8"}},
                                   std::pair{InputFormat::fp8, std::string_view{"fp8"}}};
};

/// How a network is run. Declarative plain data: the same Plan is predicted and executed.
/// fields() below is the one list of its settings.
struct Plan {
  struct Precision {
    Selected<DType> weights{DType::bf16};
    Selected<DType> activations{DType::bf16};
    Selected<InputFormat> inputs{InputFormat::as_is};
    Selected<DType> kv{DType::bf16};
  } precision;
  struct Fusion {
    bool qkv = false;
    bool gate_up = false;
    bool residual_norm = false;
    bool residual_product = false;
    bool rope_kv = false;
    bool rope_attention = false;
    bool norm_product = false;
    bool norm_epilogue = false;
    bool gated_product = false;
    bool gated_epilogue = false;
    bool quantize = false;
    bool norm_router = false;
    bool experts = false;
    bool early_gather = false;
  } fusion;
  struct Kernels {
    AttentionKernel attention = AttentionKernel::tiled;
    ExpertKernel experts = ExpertKernel::grouped;
  } kernels;
  struct Launch {
    bool graphs = false;
    std::vector<std::int64_t> batch_buckets;
    bool overlap = false;
  } launch;
  struct Kv {
    std::int64_t block_tokens = 16;
  } kv;
  struct Parallel {
    std::int64_t tensor = 1;
    std::int64_t pipeline = 1;
    std::int64_t data = 1;
    bool experts = false;

    std::int64_t devices() const { return tensor * pipeline * data; }  ///< of one instance
    /// Over which the experts of a layer are divided by whole experts.
    std::int64_t expert_devices() const { return experts ? tensor * data : 1; }
  } parallel;
};

/// Visits every setting of a Plan as visit(path, reference, what it does). Feeds YAML, --set, JSON, docs and
/// the hash.
template <class P, class Visit>
void fields(P& plan, Visit&& visit) {
  visit("precision.weights", plan.precision.weights,
        "dtype of the weights of matrix products, by layer and role");
  visit(
      "precision.activations", plan.precision.activations,
      "dtype of everything between the products: residual stream, norms, attention inputs, embedding table");
  visit("precision.inputs", plan.precision.inputs,
        "what the inputs of matrix products are quantised to; the static scales of fp8 are calibrated by the "
        "first step that is executed");
  visit("precision.kv", plan.precision.kv, "dtype of the KV cache, by layer");
  visit("fusion.qkv", plan.fusion.qkv, "query, key and value projections as one product");
  visit("fusion.gate_up", plan.fusion.gate_up, "gate and up projections as one product");
  visit("fusion.residual_norm", plan.fusion.residual_norm,
        "residual addition inside the norm that follows it, of the last one for the rows whose logits are "
        "wanted");
  visit("fusion.residual_product", plan.fusion.residual_product,
        "residual addition inside the product before it, but for products of int4 weights");
  visit("fusion.rope_kv", plan.fusion.rope_kv, "rotary embedding and cache write in one kernel");
  visit("fusion.rope_attention", plan.fusion.rope_attention,
        "steps of one token a sequence: rotary embedding and cache write inside the attention kernel");
  visit("fusion.norm_product", plan.fusion.norm_product,
        "steps of one token: a norm inside the one product that reads it");
  visit("fusion.norm_epilogue", plan.fusion.norm_epilogue,
        "steps of 2 to 64 tokens (32 where weights are int4): a residual norm inside the product before it, "
        "whose rows the product behind it scales");
  visit("fusion.gated_product", plan.fusion.gated_product,
        "steps of one token: the gated activation inside the product that reads it");
  visit("fusion.gated_epilogue", plan.fusion.gated_epilogue,
        "the gated activation inside the product that makes its gate and up: in steps of up to 128 tokens "
        "and of more that fill tiles of 128 (32 at most where weights are int4)");
  visit("fusion.quantize", plan.fusion.quantize,
        "static quantization inside the kernel that makes the values, or in steps of one token inside the "
        "product that reads them");
  visit("fusion.norm_router", plan.fusion.norm_router,
        "steps of up to 64 tokens: a norm, the router's product of its rows and the choice of experts in one "
        "kernel");
  visit("fusion.experts", plan.fusion.experts,
        "steps of one token: the products of a mixture's experts, what is between and their sum in one "
        "kernel");
  visit(
      "fusion.early_gather", plan.fusion.early_gather,
      "rows whose logits are wanted are gathered behind the last attention instead of the last layer, which "
      "does not compute what nobody reads of the others");
  visit("kernels.attention", plan.kernels.attention,
        "attention with scores in memory (naive), tiled online softmax (tiled), or cuDNN's for prompts "
        "without history (cudnn)");
  visit("kernels.experts", plan.kernels.experts,
        "expert products one launch each (loop) or in one launch (grouped)");
  visit("launch.graphs", plan.launch.graphs,
        "replay each step as one recorded graph instead of launching eagerly");
  visit("launch.batch_buckets", plan.launch.batch_buckets,
        "batch sizes that graphs are recorded for; a decode batch is padded up to the next [sequences]");
  visit("launch.overlap", plan.launch.overlap,
        "set each kernel up while the one before drains (programmatic dependent launch)");
  visit("kv.block_tokens", plan.kv.block_tokens, "tokens per block of the paged KV cache");
  visit("parallel.tensor", plan.parallel.tensor, "devices that share each layer (tensor parallelism)");
  visit("parallel.pipeline", plan.parallel.pipeline,
        "stages that the layers are divided over, each on parallel.tensor devices (pipeline parallelism)");
  visit("parallel.data", plan.parallel.data,
        "replicas of attention in one instance, each with sequences and a cache of its own, that share the "
        "experts (data parallelism of mixtures)");
  visit(
      "parallel.experts", plan.parallel.experts,
      "whole experts on each of the parallel.tensor x parallel.data devices (expert parallelism), instead of "
      "a part of each");
}

}  // namespace inferometer
