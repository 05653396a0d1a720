#include "executor/cuda/product_choice.hpp"

#include "executor/cuda/kernels/int4.hpp"
#include "executor/cuda/kernels/products.hpp"
#include "executor/cuda/kernels/products_fp8.hpp"
#include "model/few_tokens.hpp"

namespace inferometer::cuda {

bool fits(ProductKernel kernel, const ProductShape& s, const ProductLimits& limits) {
  if (kernel == ProductKernel::cublaslt) return true;
  const bool fp8 = s.w == DType::fp8;
  const std::int64_t vector = fp8 ? 16 : 8;  // elements of 16 bytes
  if (!limits.hopper || !limits.aligned || s.in % vector != 0 || s.x_stride % vector != 0) return false;
  if (kernel == ProductKernel::streamed) return s.tokens <= most_streamed_tokens;
  return s.tokens == 1 && (fp8 ? one_token_fp8_fits(s.in) : one_token_fits(s.in));
}

ProductChoice choose(const ProductShape& shape, const ProductLimits& limits, const Tuning& tuning) {
  const TunedProduct* tuned = tuning.find(shape);
  if (tuned != nullptr && fits(tuned->choice.kernel, shape, limits)) return tuned->choice;
  for (const ProductKernel kernel : {ProductKernel::one_token, ProductKernel::streamed}) {
    if (fits(kernel, shape, limits)) return {kernel, std::nullopt};
  }
  return {ProductKernel::cublaslt, std::nullopt};
}

Errors why_not_tuned(const Tuning& tuning, const Gpu& gpu, const std::string& cublaslt) {
  Errors errors;
  const auto refuse = [&](const std::string& why) {
    errors.push_back({tuning.source + ": " + why + "; run `inferometer tune` again"});
  };
  if (tuning.gpu.empty()) return errors;
  if (tuning.gpu != gpu.name) refuse("was made on \"" + tuning.gpu + "\", this is \"" + gpu.name + "\"");
  if (tuning.cublaslt != cublaslt)
    refuse("was made with cuBLASLt " + tuning.cublaslt + ", this is " + cublaslt);
  for (const auto& [shape, tuned] : tuning.products) {
    if (!fits(tuned.choice.kernel, shape, {.hopper = gpu.hopper()}))
      refuse(std::string{name(tuned.choice.kernel)} + " cannot do " + to_string(shape));
  }
  return errors;
}

static_assert(most_int4_tiled_tokens == packed_int4_tokens, "predictions say when weights are unpacked");

Int4Kernel choose_int4(const Linear& op, const ProductLimits& limits) {
  if (!limits.hopper || !limits.aligned || op.in % 8 != 0 || op.tokens > most_int4_tiled_tokens)
    return Int4Kernel::unpacked;
  if (op.tokens == 1 && int4_one_token_fits(op.in)) return Int4Kernel::one_token;
  const bool few = op.tokens <= most_int4_streamed_tokens && op.in % int4_streamed_columns == 0;
  return few ? Int4Kernel::streamed : Int4Kernel::tiled;
}

}  // namespace inferometer::cuda
