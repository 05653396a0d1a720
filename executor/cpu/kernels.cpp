#include "executor/cpu/kernels.hpp"

#include <array>

namespace inferometer::cpu {

// Each is defined by the file of isa/ that has its name.
extern const Kernels baseline_kernels;
#ifdef INFEROMETER_X86_64
extern const Kernels avx2_kernels;
extern const Kernels avx512_kernels;
#endif

namespace {

constexpr std::array all{
#ifdef INFEROMETER_X86_64
    Variant{"avx512", &avx512_kernels},
    Variant{"avx2", &avx2_kernels},
#endif
    Variant{"baseline", &baseline_kernels},
};

/// How many of `all`, from the end, this CPU runs. Feature by feature: not every compiler knows the levels.
std::size_t runnable() {
#ifdef INFEROMETER_X86_64
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  return avx512 ? 3 : avx2 ? 2 : 1;
#else
  return 1;
#endif
}

}  // namespace

std::span<const Variant> variants() {
  static const std::size_t count = runnable();
  return std::span{all}.last(count);
}

const Kernels& kernels() { return *variants().front().kernels; }

}  // namespace inferometer::cpu
