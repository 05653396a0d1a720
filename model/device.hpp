#pragma once
#include <map>
#include <optional>
#include <string>

#include "model/dtype.hpp"
#include "model/units.hpp"

namespace inferometer {

/// A number and where it is from: a data sheet, or measured where, when and how.
template <class T>
struct Sourced {
  T value{};
  std::string source;
};

enum class DeviceKind : std::uint8_t { gpu, cpu };

/// A device as data. Rates are dense peaks, never sparse ones.
struct Device {
  std::string name, description;
  DeviceKind kind = DeviceKind::gpu;
  Sourced<Bytes> memory_capacity;            ///< what the device really offers to a program
  Sourced<BytesPerSecond> memory_bandwidth;  ///< read bandwidth of the memory
  Sourced<Bytes> cache_capacity;             ///< last-level cache
  Sourced<BytesPerSecond> cache_bandwidth;   ///< read bandwidth of it
  /// What a stream wider than the cache, read over and over, finds of itself there, as a share of the cache; not
  /// stated: nothing.
  std::optional<Sourced<double>> cache_retention;
  Sourced<std::int64_t> processors;  ///< streaming multiprocessors, or cores
  Sourced<Hertz> clock;
  std::map<DType, Sourced<FlopsPerSecond>> matrix;  ///< matrix units, by the dtype that is multiplied
  bool widens_bf16 = false;                         ///< matrices in bf16 are kept and multiplied as f32
  Sourced<FlopsPerSecond> vector;                   ///< f32 multiply-add outside the matrix units
  Sourced<Seconds> launch;         ///< from one kernel's end to the next one's start, without host work
  Sourced<Seconds> host_dispatch;  ///< host time to enqueue one kernel eagerly
  std::optional<Sourced<BytesPerSecond>> link_bandwidth;       ///< to a peer device, per direction
  std::optional<Sourced<Seconds>> link_latency;                ///< of one hop
  std::optional<Sourced<BytesPerSecond>> host_link_bandwidth;  ///< to host memory, per direction
  std::optional<Sourced<Watts>> power;                         ///< limit of the whole device
  std::optional<Sourced<Watts>> idle_power;                    ///< clocks up, nothing to do
  std::optional<Sourced<Watts>> memory_power;                  ///< what reading at memory_bandwidth adds
  std::optional<Sourced<Watts>> compute_power;   ///< what the arithmetic units at their full dense rate add
  std::optional<Sourced<DollarsPerHour>> price;  ///< of one device
};

/// `count` devices of one kind joined by their links.
struct Cluster {
  Device device;
  std::int64_t count = 1;
};

}  // namespace inferometer
