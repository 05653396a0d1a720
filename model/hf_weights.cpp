#include <array>

#include "model/hf_reading.hpp"

namespace inferometer {
namespace {

struct TorchType {
  std::string_view name;
  DType dtype;
};
constexpr std::array torch_types{TorchType{"float32", DType::f32}, TorchType{"float16", DType::f16},
                                 TorchType{"bfloat16", DType::bf16}};

/// Tells a text that is not the one understood.
void expect_text(Reader& in, std::string_view key, std::initializer_list<std::string_view> understood) {
  if (!given(in, key)) return;
  const std::size_t told = in.errors().size();
  const std::string text = in.optional<std::string>(key, "");
  if (in.errors().size() > told) return;
  std::string expected;
  for (const std::string_view one : understood) {
    if (text == one) return;
    expected += (expected.empty() ? "" : " or ") + std::string{one};
  }
  in.error(key, "\"" + text + "\" is not understood; expected " + expected);
}

/// Blocks of e4m3 with a scale each, as DeepSeek-V3 publishes.
void read_fp8(Reader& in, Architecture& a) {
  a.dtype = DType::fp8;
  expect_text(in, "fmt", {"e4m3"});
  expect_text(in, "activation_scheme", {"dynamic", "static"});
  expect_text(in, "scale_fmt", {"ue8m0", "float"});
  if (!given(in, "weight_block_size")) return;
  const std::size_t told = in.errors().size();
  const auto block = in.list<std::int64_t>("weight_block_size");
  if (in.errors().size() > told) return;
  if (block->size() != 2 || (*block)[0] < 1 || (*block)[1] < 1)
    in.error("weight_block_size", "two positive numbers are needed, such as [128, 128]");
}

}  // namespace

void read_weights(Reader& in, Architecture& a) {
  const std::size_t told = in.errors().size();
  const std::string_view key = spelling(in, {"dtype", "torch_dtype"});
  if (given(in, key)) {
    const std::string text = in.optional<std::string>(key, "");
    bool known = in.errors().size() > told;
    for (const TorchType& type : torch_types) {
      if (type.name != text) continue;
      a.dtype = type.dtype;
      known = true;
    }
    if (!known) in.error(key, "\"" + text + "\" is not understood; expected float32, float16 or bfloat16");
  }
  if (!given(in, "quantization_config")) return;
  Reader quantization = *in.maybe_mapping("quantization_config");
  const std::string method = quantization.required<std::string>("quant_method");
  if (method == "fp8") {
    read_fp8(quantization, a);
  } else if (method == "mxfp4") {
    a.dtype = DType::mxfp4;
  } else {
    if (!method.empty())
      quantization.error("quant_method", "\"" + method + "\" is not understood; expected fp8 or mxfp4");
    return;
  }
  quantization.raw("modules_to_not_convert");  // the plan says what is kept in which format
  quantization.reject_unknown_keys();
}

}  // namespace inferometer
