#pragma once
#include <array>
#include <string_view>

#include "model/structure.hpp"

namespace inferometer {

/// One step of lowering: rewrites the structure in place, or says why the plan asks for what cannot be.
struct Pass {
  std::string_view name;
  std::string_view doc;
  Errors (*run)(Structure&, const Architecture&, const Plan&);
};

Errors gather_early(Structure& structure, const Architecture& architecture, const Plan& plan);
Errors merge_products(Structure& structure, const Architecture& architecture, const Plan& plan);
Errors fuse_residual_product(Structure& structure, const Architecture& architecture, const Plan& plan);
Errors fuse_residual_norm(Structure& structure, const Architecture& architecture, const Plan& plan);
Errors quantize_inputs(Structure& structure, const Architecture& architecture, const Plan& plan);
Errors drop_unused_buffers(Structure& structure, const Architecture& architecture, const Plan& plan);
Errors join_kernels(Structure& structure, const Architecture& architecture, const Plan& plan);
Errors connect(Structure& structure, const Architecture& architecture, const Plan& plan);

/// After the plain decoder has been laid down, these run in this order.
inline constexpr std::array passes{
    Pass{"gather_early", "rows that need logits are gathered behind the last attention (fusion.early_gather)",
         &gather_early},
    Pass{"merge_products",
         "products of one input whose plan asks for it become one (fusion.qkv, fusion.gate_up)",
         &merge_products},
    Pass{"fuse_residual_product",
         "a residual addition joins the product before it, unless its weights are int4 "
         "(fusion.residual_product)",
         &fuse_residual_product},
    Pass{"fuse_residual_norm",
         "a residual addition joins the norm that reads it, also through the gathering of rows "
         "(fusion.residual_norm)",
         &fuse_residual_norm},
    Pass{"quantize_inputs",
         "a quantise node before each product that wants one, shared by products of one input",
         &quantize_inputs},
    Pass{"drop_unused_buffers", "buffers that no node touches any more are forgotten", &drop_unused_buffers},
    Pass{"join_kernels",
         "nodes that run in the kernel of the one before them (fusion.rope_kv, rope_attention, norm_product, "
         "norm_epilogue, gated_product, gated_epilogue, quantize, norm_router, experts)",
         &join_kernels},
    Pass{"connect", "edges from each writer to its readers, and to whoever overwrites what was read",
         &connect},
};

}  // namespace inferometer
