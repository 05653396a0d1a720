#include <cuda_fp16.h>

#include "executor/cuda/kernels/device.cuh"
#include "executor/cuda/kernels/int4.hpp"

namespace inferometer::cuda {
namespace {

constexpr unsigned threads = 256;
constexpr int words = sizeof(Int4Rows::q) / 4, unit_words = words * (int4_rows / 32);

struct Extent {
  std::int64_t out, in;
};
/// Row and column of the matrix where unit `unit` begins.
__device__ __forceinline__ Extent origin(std::int64_t unit, std::int64_t in) {
  const std::int64_t groups = int4_groups(in);
  return {unit / groups * int4_rows, unit % groups * int4_group};
}

/// A warp for the two rows whose zero points share a byte.
__global__ void __launch_bounds__(threads) find_scales(Int4Unit* to, const Bf16* values, Extent size) {
  const int lane = threadIdx.x % 32, pair = static_cast<int>(blockIdx.y) * (threads / 32) + threadIdx.x / 32;
  const std::int64_t unit = blockIdx.x;
  const Extent at = origin(unit, size.in);
  const int row = pair / 8 * 16 + pair % 8;
  unsigned zeros = 0;
  for (int h = 0; h < 2; ++h) {
    const std::int64_t out = at.out + row + 8 * h;
    float low = 0, high = 0;
    for (int i = lane; i < int4_group; i += 32) {
      if (out >= size.out || at.in + i >= size.in) continue;
      const float x = to_float(values[out * size.in + at.in + i]);
      low = fminf(low, x);
      high = fmaxf(high, x);
    }
    low = -warp_max(-low);
    high = warp_max(high);
    const __half scale = __float2half_rn((high - low) / 15.0F);
    const float step = __half2float(scale);
    if (step > 0) zeros |= static_cast<unsigned>(fminf(rintf(-low / step), 15.0F)) << (4 * h);
    if (lane == 0) to[unit].rows[row / 32].scales[int4_place(row % 32 + 8 * h)] = __half_as_ushort(scale);
  }
  if (lane == 0) to[unit].rows[row / 32].zeros[int4_place(row % 32) / 2] = static_cast<std::uint8_t>(zeros);
}

struct ScaleAndZero {
  float scale, zero;
};
/// Of one row of 32.
__device__ __forceinline__ ScaleAndZero factors(const Int4Rows& w, int row) {
  const int place = int4_place(row);
  return {__half2float(__ushort_as_half(w.scales[place])),
          static_cast<float>(w.zeros[place / 2] >> (place % 2 * 4) & 15)};
}

__global__ void __launch_bounds__(threads) quantize(Int4Unit* to, const Bf16* values, Extent size) {
  const std::int64_t unit = blockIdx.x;
  const Extent at = origin(unit, size.in);
  const int all = static_cast<int>(blockIdx.y * threads + threadIdx.x), word = all % words;
  Int4Rows& rows = to[unit].rows[all / words];
  unsigned bits = 0;
  for (int pair = 0; pair < 4; ++pair) {
    const Int4Place p = int4_pair(word, pair);
    const ScaleAndZero f = factors(rows, p.row);
    for (int e = 0; e < 2; ++e) {
      const std::int64_t out = at.out + all / words * 32 + p.row, in = at.in + p.column + e;
      if (out >= size.out || in >= size.in || f.scale == 0) continue;
      const float q = rintf(to_float(values[out * size.in + in]) / f.scale) + f.zero;
      bits |= static_cast<unsigned>(fminf(fmaxf(q, 0.0F), 15.0F)) << (4 * pair + 16 * e);
    }
  }
  rows.q[word] = bits;
}

/// A thread for eight neighbours of a row: four lanes' words hold two of them each.
__global__ void __launch_bounds__(threads) unpack(Bf16* to, const Int4Unit* units, Extent size) {
  take_turn();
  const int i = static_cast<int>(blockIdx.y * threads + threadIdx.x), row = i / 16, eight = i % 16;
  const Extent at = origin(blockIdx.x, size.in);
  const std::int64_t out = at.out + row, in = at.in + eight * 8;
  if (out >= size.out || in >= size.in) return;
  const Int4Rows& w = units[blockIdx.x].rows[row / 32];
  const int first = row % 32 / 16 * 256 + eight / 8 * 128 + row % 8 * 16 + eight % 8 / 2;
  const int shift = 4 * (row % 16 / 8 + eight % 2 * 2);
  const ScaleAndZero f = factors(w, row % 32);
  Eight values;
#pragma unroll
  for (int e = 0; e < 8; ++e) {
    const auto q = static_cast<float>(w.q[first + e / 2 * 4] >> (shift + e % 2 * 16) & 15);
    values.v[e] = to_bf16((q - f.zero) * f.scale);
  }
  if (size.in % 8 == 0) {
    *reinterpret_cast<Eight*>(to + out * size.in + in) = values;
  } else {
    for (int e = 0; e < 8 && in + e < size.in; ++e) to[out * size.in + in + e] = values.v[e];
  }
}

}  // namespace

void pack_int4(Int4Unit* to, const std::uint16_t* values, std::int64_t out, std::int64_t in,
               const Queue& queue) {
  const auto units = static_cast<unsigned>(int4_units(out, in));
  find_scales<<<dim3(units, int4_rows / 2 / (threads / 32)), threads, 0, queue.stream>>>(to, values,
                                                                                         {out, in});
  quantize<<<dim3(units, unit_words / threads), threads, 0, queue.stream>>>(to, values, {out, in});
}

void unpack_int4(std::uint16_t* to, const Int4Unit* w, std::int64_t out, std::int64_t in,
                 const Queue& queue) {
  launch(queue, &unpack, dim3(static_cast<unsigned>(int4_units(out, in)), unit_words / threads), threads, 0,
         to, w, Extent{out, in});
}

}  // namespace inferometer::cuda
