#pragma once
#include "executor/cuda/kernels/device.cuh"

// Barriers in shared memory and copies that complete on them (compute capability 9.0).
// source: PTX ISA 9.0, mbarrier and cp.async.bulk
#ifdef INFEROMETER_HOPPER
namespace inferometer::cuda {

__device__ __forceinline__ std::uint32_t shared_address(const void* p) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(p));
}
/// A warp's in its block, seen by the compiler to be uniform, and so are addresses and barriers made of it:
/// what tells the hardware to copy is then one instruction, not a loop over the lanes, whose rounds took some
/// 100 cycles (stamps of time on an H200, 2026-12-01, driver 580).
__device__ __forceinline__ int warp_index() {
  return __shfl_sync(~0U, static_cast<int>(threadIdx.x) / 32, 0);
}
/// What all threads of a warp have, seen to be uniform as warp_index() is.
template <class T>
__device__ __forceinline__ const T* uniform(const T* p) {
  const auto address = reinterpret_cast<std::uintptr_t>(p);
  const auto half = [](std::uintptr_t x) { return __shfl_sync(~0U, static_cast<unsigned>(x), 0); };
  return reinterpret_cast<const T*>(static_cast<std::uintptr_t>(half(address >> 32)) << 32 | half(address));
}
/// One thread of a warp, of which all come here.
__device__ __forceinline__ bool elect() {
  unsigned chosen = 0;
  asm volatile("{\n.reg .pred p;\nelect.sync _|p, 0xffffffff;\nselp.u32 %0, 1, 0, p;\n}" : "=r"(chosen));
  return chosen != 0;
}
__device__ __forceinline__ void init_barrier(std::uint64_t* barrier, unsigned arrivals) {
  asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals));
}
/// After all were initialised, before a copy may complete on one.
__device__ __forceinline__ void publish_barriers() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
/// Of a ring's stages `from`, `from` + `step` and so on before `to`, by one thread: a copy completes `full`,
/// and `consumers` make a stage empty.
__device__ __forceinline__ void make_barriers(std::uint64_t* full, std::uint64_t* empty, int from, int to,
                                              int consumers, int step = 1) {
#pragma unroll 1
  for (int s = from; s < to; s += step) {
    init_barrier(full + s, 1);
    init_barrier(empty + s, static_cast<unsigned>(consumers));
  }
  publish_barriers();
}
/// What this thread wrote to shared memory before is seen by copies and matrix units behind the next barrier.
__device__ __forceinline__ void publish_to_copies() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
__device__ __forceinline__ void expect_bytes(std::uint64_t* barrier, unsigned bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared.b64 _, [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes)
               : "memory");
}
__device__ __forceinline__ void arrive(std::uint32_t barrier) {
  asm volatile("mbarrier.arrive.shared.b64 _, [%0];" ::"r"(barrier) : "memory");
}
__device__ __forceinline__ void arrive(std::uint64_t* barrier) { arrive(shared_address(barrier)); }
__device__ __forceinline__ void wait(std::uint32_t barrier, unsigned parity) {
  asm volatile(
      "{\n.reg .pred done;\nagain_%=:\n"
      "mbarrier.try_wait.parity.shared.b64 done, [%0], %1;\n"
      "@!done bra again_%=;\n}" ::"r"(barrier),
      "r"(parity)
      : "memory");
}
__device__ __forceinline__ void wait(std::uint64_t* barrier, unsigned parity) {
  wait(shared_address(barrier), parity);
}
/// Whether wait() would return at once.
__device__ __forceinline__ bool landed(const std::uint64_t* barrier, unsigned parity) {
  unsigned done = 0;
  asm volatile("{\n.reg .pred p;\nmbarrier.test_wait.parity.shared.b64 p, [%1], %2;\nselp.u32 %0, 1, 0, p;\n}"
               : "=r"(done)
               : "r"(shared_address(barrier)), "r"(parity)
               : "memory");
  return done != 0;
}
/// Where someone is who goes through a ring of stages, round after round.
struct RingPlace {
  int stage = 0;
  unsigned phase = 0;

  __device__ __forceinline__ void next(int depth) {
    if (++stage < depth) return;
    stage = 0;
    phase ^= 1U;
  }
};
/// For what is read once: it makes room in the L2 cache before anything else does, so that activations, block
/// tables and code stay there while weights and cached keys stream by.
__device__ __forceinline__ std::uint64_t read_once() {
  std::uint64_t policy = 0;
  asm volatile("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
  return policy;
}
/// Contiguous global memory to shared memory; both addresses and the size are multiples of 16 bytes.
__device__ __forceinline__ void copy_bulk(void* to, const void* from, unsigned bytes,
                                          std::uint64_t* barrier) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
          shared_address(to)),
      "l"(from), "r"(bytes), "r"(shared_address(barrier))
      : "memory");
}
/// policy: what the L2 cache does with it
__device__ __forceinline__ void copy_bulk(void* to, const void* from, unsigned bytes, std::uint64_t* barrier,
                                          std::uint64_t policy) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1], %2, "
      "[%3], %4;" ::"r"(shared_address(to)),
      "l"(from), "r"(bytes), "r"(shared_address(barrier)), "l"(policy)
      : "memory");
}
/// Contiguous global memory to the L2 cache; the address and the size are multiples of 16 bytes.
__device__ __forceinline__ void prefetch_bulk(const void* from, unsigned bytes) {
  asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(from), "r"(bytes) : "memory");
}
/// A box of a matrix that a tensor map describes.
__device__ __forceinline__ void copy_box(void* to, const void* map, int column, int row,
                                         std::uint64_t* barrier) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], "
      "[%2];" ::"r"(shared_address(to)),
      "l"(map), "r"(shared_address(barrier)), "r"(column), "r"(row)
      : "memory");
}
/// policy: what the L2 cache does with it
__device__ __forceinline__ void copy_box(void* to, const void* map, int column, int row,
                                         std::uint64_t* barrier, std::uint64_t policy) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1, "
      "{%3, %4}], [%2], %5;" ::"r"(shared_address(to)),
      "l"(map), "r"(shared_address(barrier)), "r"(column), "r"(row), "l"(policy)
      : "memory");
}
/// A box for both blocks of a cluster of two, at the same places of their shared memory and barriers.
__device__ __forceinline__ void copy_box_to_pair(void* to, const void* map, int column, int row,
                                                 std::uint64_t* barrier) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], "
      "[%1, {%3, %4}], [%2], %5;" ::"r"(shared_address(to)),
      "l"(map), "r"(shared_address(barrier)), "r"(column), "r"(row), "h"(static_cast<std::uint16_t>(3))
      : "memory");
}
/// A box of runs of 128 bytes, [run][row], from run `run` of the first row on.
__device__ __forceinline__ void copy_runs(void* to, const void* map, int run, std::uint64_t* barrier) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%4, %4, %3}], "
      "[%2];" ::"r"(shared_address(to)),
      "l"(map), "r"(shared_address(barrier)), "r"(run), "r"(0)
      : "memory");
}

/// Registers of each thread of a warpgroup from here on: what loads gives some to what computes.
template <int Count>
__device__ __forceinline__ void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Count));
}
template <int Count>
__device__ __forceinline__ void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Count));
}

/// All blocks of the cluster; what they wrote to their shared memory before is then seen by all.
__device__ __forceinline__ void meet_cluster() {
  asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
}
/// The first half of such a meeting, of blocks that have at most made and published barriers: after both
/// halves all have started, and these and their shared memory may be written to.
__device__ __forceinline__ void arrive_at_cluster() {
  asm volatile("barrier.cluster.arrive.relaxed.aligned;" ::: "memory");
}
__device__ __forceinline__ void wait_for_cluster() {
  asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
}
/// `local`'s place in the shared memory of block `rank` of the cluster.
__device__ __forceinline__ std::uint32_t neighbour_address(const void* local, unsigned rank) {
  std::uint32_t address = 0;
  asm volatile("mapa.shared::cluster.u32 %0, %1, %2;"
               : "=r"(address)
               : "r"(shared_address(local)), "r"(rank));
  return address;
}
/// arrive(), at a barrier that neighbour_address() found. Releases to this block only, which is enough for
/// what was read: at cluster scope each arrival costs half a microsecond (measured on an H200).
__device__ __forceinline__ void arrive_at(std::uint32_t barrier) {
  asm volatile("mbarrier.arrive.shared::cluster.b64 _, [%0];" ::"r"(barrier) : "memory");
}
__device__ __forceinline__ void write_neighbour(float* local, unsigned rank, float value) {
  asm volatile("st.shared::cluster.f32 [%0], %1;" ::"r"(neighbour_address(local, rank)), "f"(value)
               : "memory");
}
/// To `local`'s place in the shared memory of block `rank` of the cluster, whose `barrier` it completes on.
__device__ __forceinline__ void send(float2* local, std::uint64_t* barrier, unsigned rank, float2 value) {
  asm volatile("st.async.shared::cluster.mbarrier::complete_tx::bytes.v2.f32 [%0], {%1, %2}, [%3];" ::"r"(
                   neighbour_address(local, rank)),
               "f"(value.x), "f"(value.y), "r"(neighbour_address(barrier, rank))
               : "memory");
}
/// wait(), for what other blocks of the cluster sent.
__device__ __forceinline__ void wait_for_neighbours(std::uint64_t* barrier, unsigned parity) {
  asm volatile(
      "{\n.reg .pred done;\nagain_%=:\n"
      "mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 done, [%0], %1;\n"
      "@!done bra again_%=;\n}" ::"r"(shared_address(barrier)),
      "r"(parity)
      : "memory");
}

}  // namespace inferometer::cuda
#endif
