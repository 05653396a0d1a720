#include "executor/cuda/kernels/first_fill.cuh"
#include "executor/cuda/kernels/one_token_row.cuh"
#include "executor/cuda/kernels/one_token_weights.cuh"

namespace inferometer::cuda {
namespace {

constexpr int warps = 8, threads = warps * 32;
/// Elements that each warp has on their way: 24 KiB, with those of seven others enough to hide the latency of
/// memory; and of a copy, at most.
constexpr int ring = 12288, most_chunk = 4096, most_stages = 8;

constexpr std::size_t shared_bytes(std::int64_t in) {
  return static_cast<std::size_t>(warps * ring * 2 + in * 2 + warps * most_stages * 8);
}

using Kind = Prologue::Kind;

template <Kind K>
__global__ void __launch_bounds__(threads, 1) one_token(Bf16Product a, Prologue prologue, Epilogue epilogue) {
#ifdef INFEROMETER_HOPPER
  extern __shared__ __align__(128) unsigned char memory[];
  const int warp = warp_index(), lane = threadIdx.x % 32;
  auto* stage = reinterpret_cast<Bf16*>(memory) + warp * ring;
  auto* x = reinterpret_cast<uint4*>(memory + warps * ring * 2);
  auto* full = reinterpret_cast<std::uint64_t*>(reinterpret_cast<Bf16*>(x) + a.in) + warp * most_stages;
  const int chunk = min(most_chunk, a.in), stages = min(most_stages, ring / chunk);
  const Share own(a.out, warp, warps);
  // Where gated, units are rows of gates and of up in turns.
  const bool gated = epilogue.gated;
  const int pieces = (a.in + chunk - 1) / chunk, rows = own.count * (gated ? 2 : 1);
  Walk ahead;
  const std::uint64_t policy = read_once();
  const auto load = [&] {
    if (ahead.unit >= rows) return false;
    const int at = ahead.piece * chunk, unit = ahead.unit;
    const auto bytes = static_cast<unsigned>(min(chunk, a.in - at) * 2);
    const std::int64_t row = gated ? own.of(unit / 2) + unit % 2 * a.out : own.of(unit);
    std::uint64_t* barrier = full + ahead.stage;
    if (elect()) {
      expect_bytes(barrier, bytes);
      copy_bulk(stage + ahead.stage * chunk, a.w + row * a.in + at, bytes, barrier, policy);
    }
    __syncwarp();
    ahead.next(stages, pieces);
    return true;
  };
  __shared__ std::uint64_t over;
  FirstFill<warps> fill{&over, full, stages};
  fill.begin(load);
  fetch_weight<K, threads>(prologue, a.in);
  fill.wait(load);
  const float y_factor = epilogue.y_scale != nullptr ? factor_of(epilogue.y_scale) : 0;
  Residuals<1> residuals;
  residuals.fetch(epilogue, own, 0, a.out);
  __shared__ float parts[warps];
  auto* row = reinterpret_cast<Eight*>(x);
  make_row<K, warps>(
      a.x, a.in, prologue, row, parts, [&] { fill.end(load); }, [&](int i, const Eight& v) { row[i] = v; });
  __syncthreads();
  float sum = 0, gate = 0;
  for (Walk here; here.unit < rows; here.next(stages, pieces)) {
    const int at = here.piece * chunk;
    wait(full + here.stage, here.phase);
    const auto* w = reinterpret_cast<const uint4*>(stage + here.stage * chunk);
    const int vectors = min(chunk, a.in - at) / 8;
#pragma unroll 4
    for (int i = lane; i < vectors; i += 32) sum += dot(w[i], x[at / 8 + i]);
    __syncwarp();
    load();
    if (here.piece + 1 < pieces) continue;
    sum = warp_sum(sum);
    if (!gated) {
      sum += residuals.of(here.unit);
      if (lane == 0) store_sum(a, own.of(here.unit), sum);
      if (here.unit % 32 == 31) residuals.fetch(epilogue, own, here.unit + 1, a.out);
    } else if (here.unit % 2 == 0) {
      gate = sum;
    } else if (lane == 0) {
      store_gated(a, epilogue, own.of(here.unit / 2), gate, sum, y_factor);
    }
    sum = 0;
  }
#endif
}

}  // namespace

/// Beside what is not dynamic: the alignment of what is takes 128 bytes of it.
bool one_token_fits(std::int64_t in) { return shared_bytes(in) <= 227 * 1024 - 128; }

void product_one_token(const Bf16Product& a, const Prologue& p, const Epilogue& epilogue,
                       const Queue& queue) {
  const auto kernel = p.kind == Kind::none       ? &one_token<Kind::none>
                      : p.kind == Kind::norm     ? &one_token<Kind::norm>
                      : p.kind == Kind::add_norm ? &one_token<Kind::add_norm>
                                                 : &one_token<Kind::gated>;
  launch(queue, kernel, static_cast<unsigned>(queue.processors), threads, shared_bytes(a.in), a, p, epilogue);
}

}  // namespace inferometer::cuda
