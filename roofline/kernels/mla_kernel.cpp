#include "roofline/kernels/mla_kernel.hpp"

#include <cmath>

namespace inferometer {
namespace {

constexpr std::array floor_parameter{
    KernelParameter{"floor", "us", "a call of no size: position, cache write, attention", 1, 25, 12}};
/// source  generic value: A100 and H200
constexpr std::array early_parameter{KernelParameter{
    "early_rate", "1", "matrix rate that decode reaches before Hopper, relative to later", 0.1, 1, 0.5}};
constexpr auto decode_specs = joined(joined(decode_parameters, early_parameter), floor_parameter);
constexpr auto prefill_specs = joined(prefill_parameters, floor_parameter);

}  // namespace

std::string MlaKernel::variant() const {
  return std::string{inferometer::name(phase)} + "/" + std::string{inferometer::name(kv)};
}

std::string MlaKernel::label() const {
  return "batch " + std::to_string(batch) + ", q " + std::to_string(q_len) + ", kv " +
         std::to_string(kv_len) + ", heads " + std::to_string(heads);
}

std::vector<double> MlaKernel::features() const {
  return {std::log2(static_cast<double>(batch)), std::log2(static_cast<double>(kv_len)),
          std::log2(static_cast<double>(heads))};
}

std::span<const KernelParameter> MlaKernel::parameters() const {
  return phase == AttentionPhase::context ? std::span<const KernelParameter>{prefill_specs} : decode_specs;
}

KernelTime MlaKernel::time(const Chip& chip, Values p) const {
  const bool early = phase == AttentionPhase::generation && chip.generation() < 0.75;
  const MlaCore core{.batch = static_cast<double>(batch),
                     .kv_len = static_cast<double>(kv_len),
                     .heads = static_cast<double>(heads),
                     .kv_bytes = kv == LatentFormat::fp8 ? 1.0 : 2.0,
                     .flops = chip.flops * (early ? p[decode_parameters.size()] : 1.0)};
  KernelTime t = phase == AttentionPhase::context ? prefill_time(core, chip, p) : decode_time(core, chip, p);
  t.floor = p.back();
  t.total += t.floor;
  return t;
}

}  // namespace inferometer
