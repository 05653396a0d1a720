#pragma once
#include "model/device.hpp"

namespace inferometer::cpu {

/// This machine as a Device, measured with `threads` threads in a few seconds:
///   memory_bandwidth   triad a = b + s c over arrays of four times the last-level cache (at least 256 MiB
///   each), bytes
///                      counted with the write-allocate read, best of several
///   cache_bandwidth    the same over arrays that share a quarter of the cache
///   matrix             a large oneDNN product by dtype (f32, bf16, int8), best of several
///   vector             f32 multiply-adds in registers, best of several
///   launch             an empty parallel region
/// memory_capacity is what the kernel says is available now. Each number says how it was measured.
Device measure_host(int threads);

/// Threads that this process may run at a time (affinity and OMP_NUM_THREADS are obeyed).
int available_threads();
/// What the kernel says could be allocated now without swapping.
Bytes available_memory();

}  // namespace inferometer::cpu
