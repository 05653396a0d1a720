// x86-64-v4: AVX-512 F, BW, CD, DQ and VL.
#define INFEROMETER_ISA avx512
#include "executor/cpu/isa/table.hpp"

namespace inferometer::cpu {
extern const Kernels avx512_kernels;
const Kernels avx512_kernels = avx512::table;
}  // namespace inferometer::cpu
