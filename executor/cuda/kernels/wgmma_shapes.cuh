#pragma once

// Lists of registers, since an instruction of a warpgroup names each that it adds to.
#define INFEROMETER_R4 "%0, %1, %2, %3"
#define INFEROMETER_S4(d) "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
#define INFEROMETER_R8 INFEROMETER_R4 ", %4, %5, %6, %7"
#define INFEROMETER_R16 INFEROMETER_R8 ", %8, %9, %10, %11, %12, %13, %14, %15"
#define INFEROMETER_R24 INFEROMETER_R16 ", %16, %17, %18, %19, %20, %21, %22, %23"
#define INFEROMETER_R32 INFEROMETER_R24 ", %24, %25, %26, %27, %28, %29, %30, %31"
#define INFEROMETER_R40 INFEROMETER_R32 ", %32, %33, %34, %35, %36, %37, %38, %39"
#define INFEROMETER_R48 INFEROMETER_R40 ", %40, %41, %42, %43, %44, %45, %46, %47"
#define INFEROMETER_R56 INFEROMETER_R48 ", %48, %49, %50, %51, %52, %53, %54, %55"
#define INFEROMETER_R64 INFEROMETER_R56 ", %56, %57, %58, %59, %60, %61, %62, %63"
#define INFEROMETER_R96                                                                                    \
  INFEROMETER_R64                                                                                          \
  ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, %80, %81, %82, %83, " \
  "%84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
#define INFEROMETER_R112 \
  INFEROMETER_R96        \
  ", %96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111"
#define INFEROMETER_R128 \
  INFEROMETER_R112       \
  ", %112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
#define INFEROMETER_S8(d, i)                                                                              \
  "+f"(d[(i)]), "+f"(d[(i) + 1]), "+f"(d[(i) + 2]), "+f"(d[(i) + 3]), "+f"(d[(i) + 4]), "+f"(d[(i) + 5]), \
      "+f"(d[(i) + 6]), "+f"(d[(i) + 7])
#define INFEROMETER_S16(d) INFEROMETER_S8(d, 0), INFEROMETER_S8(d, 8)
#define INFEROMETER_S24(d) INFEROMETER_S16(d), INFEROMETER_S8(d, 16)
#define INFEROMETER_S32(d) INFEROMETER_S24(d), INFEROMETER_S8(d, 24)
#define INFEROMETER_S40(d) INFEROMETER_S32(d), INFEROMETER_S8(d, 32)
#define INFEROMETER_S48(d) INFEROMETER_S40(d), INFEROMETER_S8(d, 40)
#define INFEROMETER_S56(d) INFEROMETER_S48(d), INFEROMETER_S8(d, 48)
#define INFEROMETER_S64(d) INFEROMETER_S56(d), INFEROMETER_S8(d, 56)
#define INFEROMETER_S96(d)                                                                 \
  INFEROMETER_S64(d), INFEROMETER_S8(d, 64), INFEROMETER_S8(d, 72), INFEROMETER_S8(d, 80), \
      INFEROMETER_S8(d, 88)
#define INFEROMETER_S112(d) INFEROMETER_S96(d), INFEROMETER_S8(d, 96), INFEROMETER_S8(d, 104)
#define INFEROMETER_S128(d) INFEROMETER_S112(d), INFEROMETER_S8(d, 112), INFEROMETER_S8(d, 120)

/// A specialisation of NAME<N> by wgmma.m64nN followed by KIND; FACTORS and, where they have a choice, the
/// order of the operands follow the condition. R: registers a thread, then their list as text and as
/// operands, and the places of a, b and the condition.
#define INFEROMETER_TILE_INSTRUCTION(NAME, KIND, FACTORS, N, R, REGISTERS, SUMS, A, B, ADD)                  \
  template <>                                                                                                \
  __device__ __forceinline__ void NAME<N>(float(&d)[R], std::uint64_t a, std::uint64_t b, int add) {         \
    asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, " ADD                                                 \
                 ", 0;\n"                                                                                    \
                 "wgmma.mma_async.sync.aligned.m64n" #N KIND " {" REGISTERS "}, " A ", " B ", add, " FACTORS \
                 ";\n}"                                                                                      \
                 : SUMS                                                                                      \
                 : "l"(a), "l"(b), "r"(add));                                                                \
  }
/// All that are used.
#define INFEROMETER_TILE_INSTRUCTIONS(NAME, KIND, FACTORS)                                                   \
  INFEROMETER_TILE_INSTRUCTION(NAME, KIND, FACTORS, 8, 4, INFEROMETER_R4, INFEROMETER_S4(d), "%4", "%5",     \
                               "%6")                                                                         \
  INFEROMETER_TILE_INSTRUCTION(NAME, KIND, FACTORS, 16, 8, INFEROMETER_R8, INFEROMETER_S8(d, 0), "%8", "%9", \
                               "%10")                                                                        \
  INFEROMETER_TILE_INSTRUCTION(NAME, KIND, FACTORS, 32, 16, INFEROMETER_R16, INFEROMETER_S16(d), "%16",      \
                               "%17", "%18")                                                                 \
  INFEROMETER_TILE_INSTRUCTION(NAME, KIND, FACTORS, 48, 24, INFEROMETER_R24, INFEROMETER_S24(d), "%24",      \
                               "%25", "%26")                                                                 \
  INFEROMETER_TILE_INSTRUCTION(NAME, KIND, FACTORS, 64, 32, INFEROMETER_R32, INFEROMETER_S32(d), "%32",      \
                               "%33", "%34")                                                                 \
  INFEROMETER_TILE_INSTRUCTION(NAME, KIND, FACTORS, 80, 40, INFEROMETER_R40, INFEROMETER_S40(d), "%40",      \
                               "%41", "%42")                                                                 \
  INFEROMETER_TILE_INSTRUCTION(NAME, KIND, FACTORS, 96, 48, INFEROMETER_R48, INFEROMETER_S48(d), "%48",      \
                               "%49", "%50")                                                                 \
  INFEROMETER_TILE_INSTRUCTION(NAME, KIND, FACTORS, 112, 56, INFEROMETER_R56, INFEROMETER_S56(d), "%56",     \
                               "%57", "%58")                                                                 \
  INFEROMETER_TILE_INSTRUCTION(NAME, KIND, FACTORS, 128, 64, INFEROMETER_R64, INFEROMETER_S64(d), "%64",     \
                               "%65", "%66")                                                                 \
  INFEROMETER_TILE_INSTRUCTION(NAME, KIND, FACTORS, 192, 96, INFEROMETER_R96, INFEROMETER_S96(d), "%96",     \
                               "%97", "%98")                                                                 \
  INFEROMETER_TILE_INSTRUCTION(NAME, KIND, FACTORS, 224, 112, INFEROMETER_R112, INFEROMETER_S112(d), "%112", \
                               "%113", "%114")                                                               \
  INFEROMETER_TILE_INSTRUCTION(NAME, KIND, FACTORS, 256, 128, INFEROMETER_R128, INFEROMETER_S128(d), "%128", \
                               "%129", "%130")
