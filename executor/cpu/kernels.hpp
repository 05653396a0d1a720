#pragma once
#include <span>
#include <string_view>

#include "executor/cpu/arguments.hpp"

namespace inferometer::cpu {

/// Every kernel of the folder that is compiled for several instruction sets. Storage is f32 or bf16,
/// arithmetic f32. Strides count elements.
struct Kernels {
  void (*rms_norm)(const RmsNormArguments&);
  void (*add_rms_norm)(const AddRmsNormArguments&);
  void (*rope)(const RopeArguments&);
  void (*gated)(const GatedArguments&);
  void (*add)(const AddArguments&);
  void (*gather)(const GatherArguments&);
  void (*scatter)(const GatherArguments&);
  void (*quantize)(const QuantizeArguments&);
  void (*integer_product)(const IntegerProductArguments&);
  void (*dequantize)(const DequantizeArguments&);
  void (*combine)(const CombineArguments&);
  void (*convert)(const ConvertArguments&);
  void (*argmax)(const ArgmaxArguments&);
  void (*kv_write)(const KvWriteArguments&);
  void (*attention_tiled)(const AttentionArguments&);
  void (*attention_naive)(const AttentionArguments&);
  void (*multiply_adds)(MultiplyAddArguments&);
};

/// The kernels as compiled for one instruction set.
struct Variant {
  std::string_view name;
  const Kernels* kernels;
};

/// Those that this CPU can run, the fastest first.
std::span<const Variant> variants();
/// The fastest that this CPU can run.
const Kernels& kernels();

}  // namespace inferometer::cpu
