#pragma once
#include "executor/cpu/isa/attention_naive.hpp"
#include "executor/cpu/isa/integer_product.hpp"
#include "executor/cpu/isa/movement.hpp"
#include "executor/cpu/isa/multiply_adds.hpp"
#include "executor/cpu/kernels.hpp"

namespace inferometer::cpu::INFEROMETER_ISA {

inline constexpr Kernels table{
    .rms_norm = &rms_norm,
    .add_rms_norm = &add_rms_norm,
    .rope = &rope,
    .gated = &gated,
    .add = &add,
    .gather = &gather,
    .scatter = &scatter,
    .quantize = &quantize,
    .integer_product = &integer_product,
    .dequantize = &dequantize,
    .combine = &combine,
    .convert = &convert,
    .argmax = &argmax,
    .kv_write = &kv_write,
    .attention_tiled = &attention_tiled,
    .attention_naive = &attention_naive,
    .multiply_adds = &multiply_adds,
};

}  // namespace inferometer::cpu::INFEROMETER_ISA
