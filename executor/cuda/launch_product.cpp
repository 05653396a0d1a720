#include "executor/cuda/launch_product.hpp"

#include "executor/cuda/tensor_map.hpp"
#include "model/few_tokens.hpp"

namespace inferometer::cuda {

Bf16Product in_bf16(const Product& p) {
  return {.x = static_cast<const std::uint16_t*>(p.x),
          .x_stride = p.x_stride,
          .w = static_cast<const std::uint16_t*>(p.w),
          .y = p.y,
          .y_stride = p.y_stride,
          .y_f32 = p.y_f32,
          .tokens = static_cast<std::int32_t>(p.tokens),
          .in = static_cast<std::int32_t>(p.in),
          .out = static_cast<std::int32_t>(p.out)};
}

Fp8Product in_fp8(const Product& p) {
  return {.x = static_cast<const std::uint8_t*>(p.x),
          .x_stride = p.x_stride,
          .w = static_cast<const std::uint8_t*>(p.w),
          .x_scale = p.x_scale,
          .w_scale = p.w_scale,
          .y = p.y,
          .y_stride = p.y_stride,
          .y_f32 = p.y_f32,
          .tokens = static_cast<std::int32_t>(p.tokens),
          .in = static_cast<std::int32_t>(p.in),
          .out = static_cast<std::int32_t>(p.out)};
}

namespace {

/// Of W [rows, p.in] and x, in boxes of so many rows.
Result<StreamedMaps> maps_of(const Product& p, std::int64_t rows, std::int32_t w_box, std::int32_t x_box) {
  const std::int32_t bytes = p.fp8() ? 1 : 2;
  const Result<CUtensorMap> w = tensor_map({.data = p.w,
                                            .rows = rows,
                                            .columns = p.in,
                                            .stride = p.in,
                                            .box_rows = w_box,
                                            .element_bytes = bytes});
  if (!w) return failure(w.error());
  const Result<CUtensorMap> x = tensor_map({.data = p.x,
                                            .rows = p.tokens,
                                            .columns = p.in,
                                            .stride = p.x_stride,
                                            .box_rows = x_box,
                                            .element_bytes = bytes});
  if (!x) return failure(x.error());
  return StreamedMaps{.w = *w, .x = *x};
}

/// Whether the rows of a product with a norm begin and end with whole pairs of values.
bool in_pairs(const Product& p, const NormOut& norm) {
  const auto place = [](const void* data) { return reinterpret_cast<std::uintptr_t>(data); };
  return (p.out | p.y_stride | norm.sum_stride | norm.residual_stride) % 2 == 0 &&
         (place(p.y) | place(norm.sum) | place(norm.residual) | place(norm.weight)) % 4 == 0;
}

}  // namespace

Done stream_product(const Product& p, const Epilogue& epilogue, const Norms& norms, const Queue& queue) {
  static_assert(few_tokens <= most_streamed_tokens, "what is joined up to few tokens has a kernel");
  require(p.tokens <= most_streamed_tokens, "few tokens for a streamed product");
  require(p.residual == nullptr || p.residual == epilogue.residual, "a residual that the epilogue adds");
  require(p.fp8() || p.in % few_columns == 0, "whole vectors for a streamed product");
  require(norms.out.squares == nullptr || (!epilogue.gated && epilogue.residual == nullptr && !p.y_f32),
          "a norm of plain sums");
  require(norms.out.squares == nullptr || in_pairs(p, norms.out), "a norm of rows of whole pairs");
  require(!epilogue.gated || !p.y_f32, "gated activations in 16 bits or e4m3");
  require(epilogue.gated || epilogue.y_scale == nullptr, "sums that are not quantised");
  const std::int64_t rows = epilogue.gated ? 2 * p.out : p.out;
  const Result<StreamedMaps> maps =
      maps_of(p, rows, streamed_rows(rows, queue.processors) / 2, static_cast<std::int32_t>(p.tokens));
  if (!maps) return failure(maps.error());
  if (p.fp8()) {
    require(norms.out.squares == nullptr && norms.in.squares == nullptr, "norms of products in bf16");
    product_streamed(in_fp8(p), epilogue, *maps, queue);
  } else {
    product_streamed(in_bf16(p), epilogue, norms, *maps, queue);
  }
  return {};
}

Done gated_product(const Product& p, const Epilogue& epilogue, const Queue& queue) {
  require(!p.y_f32, "gated activations in 16 bits or e4m3");
  require(epilogue.gated && epilogue.residual == nullptr, "a product of many tokens with a gated activation");
  const GatedTiles tiles = gated_tiles(p.tokens, p.out, queue.processors);
  const Result<StreamedMaps> maps =
      maps_of(p, 2 * p.out, tiles.rows, tiles.share_weights ? GatedTiles::tokens : GatedTiles::tokens / 2);
  if (!maps) return failure(maps.error());
  if (p.fp8()) {
    product_gated(in_fp8(p), epilogue, tiles, *maps, queue);
  } else {
    product_gated(in_bf16(p), epilogue, tiles, *maps, queue);
  }
  return {};
}

Result<CUtensorMap> streamed_int4_inputs(const void* x, std::int64_t tokens, std::int64_t columns,
                                         std::int64_t stride) {
  return tensor_map({.data = x,
                     .rows = tokens,
                     .columns = columns,
                     .stride = stride,
                     .box_rows = int4_streamed_tile(tokens),
                     .runs = 2});
}

Done stream_int4_product(const Product& p, const Epilogue& epilogue, const Norms& norms, const Int4Stream& w,
                         const Queue& queue) {
  static_assert(few_int4_tokens == most_int4_streamed_tokens && few_int4_columns % int4_streamed_columns == 0,
                "what is joined up to few tokens has a kernel");
  require(p.tokens <= most_int4_streamed_tokens && p.in % int4_streamed_columns == 0,
          "few tokens of whole runs for a streamed product");
  require(p.residual == nullptr && epilogue.y_scale == nullptr && (!epilogue.gated || p.out % 32 == 0),
          "an epilogue that int4 products have");
  require(norms.out.squares == nullptr || (!epilogue.gated && !p.y_f32), "a norm of plain sums");
  const Result<CUtensorMap> x = streamed_int4_inputs(p.x, p.tokens, p.in, p.x_stride);
  if (!x) return failure(x.error());
  product_int4_streamed(in_bf16(p), w, epilogue, norms, *x, queue);
  return {};
}

Done launch_product(Product p, const ProductChoice& choice, CublasLt& library, const Queue& queue) {
  const Epilogue epilogue{.residual = static_cast<const std::uint16_t*>(p.residual),
                          .residual_stride = p.residual_stride};
  switch (choice.kernel) {
    case ProductKernel::cublaslt:
      p.algorithm = choice.algorithm;
      return library.multiply(p, queue.stream);
    case ProductKernel::streamed:
      return stream_product(p, epilogue, {}, queue);
    case ProductKernel::one_token:
      if (p.fp8()) {
        product_one_token_fp8(in_fp8(p), epilogue, queue);
      } else {
        product_one_token(in_bf16(p), {}, epilogue, queue);
      }
      return {};
  }
  return {};
}

}  // namespace inferometer::cuda
