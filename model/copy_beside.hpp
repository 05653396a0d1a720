#pragma once
#include <cstdint>

#include "model/names.hpp"
#include "model/units.hpp"

namespace inferometer {

/// Within the device's memory, as when cached blocks are moved together; to or from pinned host memory over
/// the host link, as when a sequence's cache is swapped out or in.
enum class CopyDirection : std::uint8_t { within_device, to_host, from_host };
template <>
struct Names<CopyDirection> {
  static constexpr std::array list{std::pair{CopyDirection::within_device, std::string_view{"within_device"}},
                                   std::pair{CopyDirection::to_host, std::string_view{"to_host"}},
                                   std::pair{CopyDirection::from_host, std::string_view{"from_host"}}};
};

/// A copy that begins together with a step, on a stream of its own.
struct CopyBeside {
  Bytes bytes{0};  ///< 0: there is none
  CopyDirection direction = CopyDirection::within_device;

  explicit operator bool() const { return bytes > Bytes{0}; }
  bool within_device() const { return direction == CopyDirection::within_device; }
  /// What is read and written in the device's memory, each byte in a buffer of its own.
  Bytes on_device() const { return (within_device() ? 2 : 1) * bytes; }
};

inline constexpr Bytes most_copied{std::int64_t{1} << 40};

/// Stands for the copy where profilers name the node that a kernel belongs to.
inline constexpr std::int32_t copy_node = -2;

}  // namespace inferometer
