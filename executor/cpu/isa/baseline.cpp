// The instruction set that the compiler targets by default: SSE2 on x86-64, NEON on aarch64.
#define INFEROMETER_ISA baseline
#include "executor/cpu/isa/table.hpp"

namespace inferometer::cpu {
extern const Kernels baseline_kernels;
const Kernels baseline_kernels = baseline::table;
}  // namespace inferometer::cpu
