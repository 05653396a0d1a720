#pragma once
#include "executor/cuda/kernels/products.hpp"

namespace inferometer::cuda {

/// y = x_scale w_scale x Wᵀ.   x [tokens, in], W [out, in] e4m3, dense rows of W; weights are
/// finite; y in bf16 or f32 (what an Epilogue changes of this, it says); scales [1], on the device
struct Fp8Product {
  const std::uint8_t* x = nullptr;
  std::int64_t x_stride = 0;
  const std::uint8_t* w = nullptr;
  const float *x_scale = nullptr, *w_scale = nullptr;
  void* y = nullptr;
  std::int64_t y_stride = 0;
  bool y_f32 = false;
  std::int32_t tokens = 0, in = 0, out = 0;
};

/// As product_one_token.   requires in % 16 == 0, one_token_fp8_fits(in), 16-byte aligned operands
void product_one_token_fp8(const Fp8Product& a, const Epilogue& epilogue, const Queue& queue);
/// The same of a row in bf16 that each block makes and quantises for itself: a.x is not read.
void product_one_token_fp8(const Fp8Product& a, const std::uint16_t* row, const Prologue& prologue,
                           const Epilogue& epilogue, const Queue& queue);
bool one_token_fp8_fits(std::int64_t in);

/// As product_streamed, with boxes of 128 columns.   requires in % 16 == 0
void product_streamed(const Fp8Product& a, const Epilogue& epilogue, const StreamedMaps& maps,
                      const Queue& queue);

/// As product_gated, with boxes of 128 columns.   requires in % 16 == 0
void product_gated(const Fp8Product& a, const Epilogue& epilogue, const GatedTiles& tiles,
                   const StreamedMaps& maps, const Queue& queue);

}  // namespace inferometer::cuda
