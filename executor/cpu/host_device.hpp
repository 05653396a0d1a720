#pragma once
#include "model/device.hpp"

namespace inferometer::cpu {

/// This machine as a Device, measured with `threads` threads in a few seconds:
///   memory_bandwidth   reading 12 times the last-level caches (256 MiB to 4 GiB) over and over, what it
///   finds
///                      there taken off, median of several
///   cache_bandwidth    reading a quarter of the last-level caches over and over, median of several
///   cache_retention    what reads of 3 times the cache find there, by how much faster they are
///   matrix             a large oneDNN product by dtype (f32, bf16, int8), best of several
///   vector             f32 multiply-adds in registers, best of several
///   launch             an empty parallel region
/// memory_capacity is what the kernel says is available now. Each number says how it was measured.
Device measure_host(int threads);

/// Threads that this process may run at a time (affinity and OMP_NUM_THREADS are obeyed).
int available_threads();
/// The last-level caches that `threads` threads of this process can use, together, as the kernel describes
/// them: the C library gets it wrong on some AMD processors (glibc 2.36 says 320 MiB where there are 32).
Bytes cache_capacity(int threads);
/// What the kernel says could be allocated now without swapping.
Bytes available_memory();

}  // namespace inferometer::cpu
