#pragma once
#include <algorithm>
#include <vector>

#include "executor/cuda/kernels/int4.hpp"
#include "model/operators/linear.hpp"
#include "tests/executor/int4_matrix.hpp"
#include "tests/gpu/device.hpp"

namespace inferometer::cuda {

/// Weights packed on the device, and what the host makes of the same values. What packing must write is
/// poisoned before.
struct PackedInt4 {
  PackedInt4(std::int64_t out_rows, std::int64_t inputs, std::uint64_t seed, bool with_host = true)
      : out(out_rows),
        in(inputs),
        w(Matrix::random(out, in, seed, 1.0F, 0)),
        units(poisoned(int4_units(out, in))) {
    pack_int4(units.data(), w.data(), out, in, {});
    if (!with_host) return;
    const std::vector<double> values = w.values();
    host = to_int4({values.begin(), values.end()}, out, in);
  }
  static std::vector<Int4Unit> poisoned(std::int64_t count) {
    std::vector<Int4Unit> all(static_cast<std::size_t>(count));
    for (Int4Unit& unit : all) {
      for (Int4Rows& u : unit.rows) {
        std::fill(std::begin(u.q), std::end(u.q), 0x5a5a5a5aU);
        std::fill(std::begin(u.scales), std::end(u.scales), static_cast<std::uint16_t>(0x7e00));  // NaN
        std::fill(std::begin(u.zeros), std::end(u.zeros), static_cast<std::uint8_t>(0x5a));
      }
    }
    return all;
  }
  std::vector<double> expected(const Matrix& x, std::int64_t tokens) const {
    const Linear op{.tokens = tokens, .in = in, .out = out, .w = {DType::int4}};
    return reference(op, {x.values(), host.q, host.scales, host.zeros})[0];
  }
  std::int64_t out, in;
  Matrix w;
  Array<Int4Unit> units;
  Int4Matrix host;
};

/// Inputs and outputs of products that fill no tile, no group or no turn of all blocks, and of those that do.
inline constexpr std::int64_t int4_extents[][2] = {
    {64, 64},    {72, 200},   {256, 1},      {2048, 129},      {4096, 6144 / 8},
    {4104, 333}, {14336, 96}, {1024, 20000}, {8, 7},           {96, 48},
    {192, 4100}, {64, 40000}, {28672, 70},   {2048, 32 * 199}, {50944, 33}};

inline constexpr double int4_f32_tolerance = 1e-4;

}  // namespace inferometer::cuda
