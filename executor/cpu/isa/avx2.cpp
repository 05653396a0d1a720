// x86-64-v3: AVX2 and fused multiply-add.
#define INFEROMETER_ISA avx2
#include "executor/cpu/isa/table.hpp"

namespace inferometer::cpu {
extern const Kernels avx2_kernels;
const Kernels avx2_kernels = avx2::table;
}  // namespace inferometer::cpu
