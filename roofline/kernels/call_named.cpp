#include "roofline/kernels/call_named.hpp"

namespace inferometer {
namespace {

template <Named E, class Add>
void each(const Add& add) {
  for (const auto& [value, spelling] : Names<E>::list) add(value);
}

void add_products(std::vector<KernelCall>& all) {
  each<Format>([&](Format f) {
    all.emplace_back(Gemm{.format = f});
    all.emplace_back(GatedProduct{.format = f});
    all.emplace_back(Gemv{.format = f});
    all.emplace_back(GroupedGemm{.format = f});
    all.emplace_back(MoeLayer{.format = f});
    all.emplace_back(MoeLayer{.format = f, .kernel = "min_latency"});
    all.emplace_back(ContextAttention{.kv = f});
    all.emplace_back(DecodeAttention{.kv = f});
    for (const std::int64_t head_dim : {64, 128})
      all.emplace_back(PagedDecode{.kv = f, .head_dim = head_dim});
  });
}

void add_latent_attention(std::vector<KernelCall>& all) {
  each<LatentFormat>([&](LatentFormat kv) {
    each<AbsorptionOp>([&](AbsorptionOp op) { all.emplace_back(MlaBmm{.op = op, .format = kv}); });
    each<AttentionPhase>([&](AttentionPhase phase) {
      all.emplace_back(MlaKernel{.phase = phase, .kv = kv});
      each<ProjectionFormat>([&](ProjectionFormat projections) {
        all.emplace_back(MlaModule{.phase = phase, .projections = projections, .kv = kv});
      });
    });
  });
}

std::vector<KernelCall> one_of_each() {
  std::vector<KernelCall> all;
  add_products(all);
  add_latent_attention(all);
  each<QuantizeOp>([&](QuantizeOp op) {
    each<QuantizedFormat>(
        [&](QuantizedFormat f) { all.emplace_back(QuantizeKernel{.op = op, .format = f}); });
  });
  each<LinearKernel>([&](LinearKernel k) { all.emplace_back(LinearAttention{.kernel = k}); });
  each<EagerOp>([&](EagerOp op) { all.emplace_back(EagerCollective{.op = op}); });
  each<CollectiveOp>([&](CollectiveOp op) {
    each<CollectiveKernel>([&](CollectiveKernel k) { all.emplace_back(Collective{.op = op, .kernel = k}); });
  });
  return all;
}

}  // namespace

std::optional<KernelCall> call_named(std::string_view op, std::string_view variant) {
  if (op == Elementwise::name) return Elementwise{.ops = std::string{variant}};
  static const std::vector<KernelCall> all = one_of_each();
  const KernelCall* found = nullptr;
  for (const KernelCall& call : all) {
    const std::string of_call = variant_of(call);
    if (operator_of(call) != op || !variant.starts_with(of_call)) continue;
    if (variant.size() == of_call.size()) return call;
    const std::string_view more = variant.substr(of_call.size());
    if (more.starts_with('/') || more.starts_with(" + ")) found = &call;
  }
  return found == nullptr ? std::nullopt : std::optional{*found};
}

}  // namespace inferometer
