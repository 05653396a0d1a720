#include "model/lowering.hpp"
#include "model/passes.hpp"

namespace inferometer {
namespace {

/// Replicas of attention, and whole experts on each device.
void check_experts(const Architecture& a, const Plan::Parallel& p, Errors& errors) {
  if (p.data > 1 && !a.moe) {
    errors.push_back(
        {"parallel.data: replicas of attention share experts, and a dense network has none; "
         "whole replicas are serving.replicas"});
  } else if (p.data > 1 && !p.experts) {
    errors.push_back(
        {"parallel.data: replicas of attention share whole experts; set parallel.experts: true"});
  } else if (p.data > 1 && p.pipeline > 1) {
    errors.push_back(
        {"parallel.data: replicas of attention are not divided into stages; leave out "
         "parallel.pipeline"});
  }
  if (p.experts && !a.moe) {
    errors.push_back({"parallel.experts: a dense network has no experts"});
  } else if (a.moe && a.moe->experts % p.expert_devices() != 0) {
    errors.push_back({"parallel.experts: " + std::to_string(p.expert_devices()) +
                      " devices do not divide the " + std::to_string(a.moe->experts) + " experts"});
  }
}

/// What must hold before a network can be laid down under a plan at all.
Errors check(const Architecture& a, const Plan& plan) {
  Errors errors;
  const auto refuse = [&](std::string message) { errors.push_back({std::move(message)}); };
  const auto positive = [&](std::int64_t value, const char* what) {
    if (value <= 0) refuse(std::string{what} + ": must be positive, is " + std::to_string(value));
  };
  positive(a.layers, "architecture.layers");
  positive(a.hidden, "architecture.hidden");
  positive(a.heads, "architecture.heads");
  positive(a.kv_heads, "architecture.kv_heads");
  positive(a.head_dim, "architecture.head_dim");
  positive(a.intermediate, "architecture.intermediate");
  positive(a.vocab, "architecture.vocab");
  positive(plan.kv.block_tokens, "kv.block_tokens");
  positive(plan.parallel.tensor, "parallel.tensor");
  positive(plan.parallel.pipeline, "parallel.pipeline");
  positive(plan.parallel.data, "parallel.data");
  if (!errors.empty()) return errors;
  if (a.heads % a.kv_heads != 0) {
    refuse("architecture.kv_heads: " + std::to_string(a.kv_heads) + " does not divide the " +
           std::to_string(a.heads) + " query heads");
  }
  const std::int64_t ranks = plan.parallel.tensor;
  const auto divides = [&](std::int64_t size, const char* what) {
    if (size % ranks != 0) {
      refuse("parallel.tensor: " + std::to_string(ranks) + " does not divide the " + std::to_string(size) +
             " " + what);
    }
  };
  divides(a.heads, "query heads");
  divides(a.intermediate, "columns of the feed-forward block");
  if (a.moe && !plan.parallel.experts) divides(a.moe->intermediate, "columns of an expert");
  if (!a.latent && a.kv_heads % ranks != 0 && ranks % a.kv_heads != 0) {
    refuse("parallel.tensor: " + std::to_string(ranks) + " neither divides nor is a multiple of the " +
           std::to_string(a.kv_heads) + " key and value heads");
  }
  check_experts(a, plan.parallel, errors);
  if (plan.parallel.pipeline > a.layers) {
    refuse("parallel.pipeline: " + std::to_string(plan.parallel.pipeline) + " stages for " +
           std::to_string(a.layers) + " layers");
  }
  // A rule that nothing reads would be believed to have no effect.
  if (!plan.precision.activations.rules.empty())
    refuse("precision.activations: one dtype for the whole network; by layer or role it is not supported");
  for (const auto& rule : plan.precision.kv.rules) {
    if (!selects(rule.role, Role::attention))
      refuse("precision.kv: a rule for \"" + rule.role +
             "\"; the cache is chosen by layer, or for attention");
  }
  const DType activations = plan.precision.activations.value;
  if (activations != DType::f32 && activations != DType::bf16 && activations != DType::f16) {
    refuse("precision.activations: " + std::string{name(activations)} + " is not one of f32, bf16, f16");
  }
  return errors;
}

}  // namespace

Result<Structure> compile(const Architecture& architecture, const Plan& plan) {
  if (Errors errors = check(architecture, plan); !errors.empty()) return failure(std::move(errors));
  Structure structure;
  lower(structure, architecture, plan);
  for (const Pass& pass : passes) {
    if (Errors errors = pass.run(structure, architecture, plan); !errors.empty())
      return failure(std::move(errors));
  }
  return structure;
}

}  // namespace inferometer
