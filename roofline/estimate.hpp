#pragma once
#include <cstdint>

#include "model/names.hpp"
#include "model/units.hpp"

namespace inferometer {

/// What set a node's time.
enum class Bound : std::uint8_t { compute, memory, launch, link };
template <>
struct Names<Bound> {
  static constexpr std::array list{std::pair{Bound::compute, std::string_view{"compute"}},
                                   std::pair{Bound::memory, std::string_view{"memory"}},
                                   std::pair{Bound::launch, std::string_view{"launch"}},
                                   std::pair{Bound::link, std::string_view{"link"}}};
};

/// How much is known about the device: its data sheet, a few fitted parameters, or measured points near by.
enum class Level : std::uint8_t { datasheet, calibrated, residual_corrected };
template <>
struct Names<Level> {
  static constexpr std::array list{
      std::pair{Level::datasheet, std::string_view{"datasheet"}},
      std::pair{Level::calibrated, std::string_view{"calibrated"}},
      std::pair{Level::residual_corrected, std::string_view{"residual_corrected"}}};
};

/// A time taken apart. The parts sum to the whole; what one column of the report's explanation adds up.
struct Parts {
  Seconds flops{0};   ///< work at the rate reached by large products
  Seconds bytes{0};   ///< traffic at the bandwidth reached by long streams, where memory sets the time
  Seconds wave{0};    ///< beyond that: partly filled tiles and waves, rates that small work does not reach
  Seconds launch{0};  ///< starting the kernel

  Seconds total() const { return flops + bytes + wave + launch; }
  Parts& operator+=(const Parts& o) {
    flops += o.flops;
    bytes += o.bytes;
    wave += o.wave;
    launch += o.launch;
    return *this;
  }
};

/// How long one node takes alone on a device, and what it asks of it.
struct Estimate {
  Parts parts;
  Bound bound = Bound::launch;
  Flops flops{0};       ///< of the operator's formula
  Bytes compulsory{0};  ///< each operand once
  Bytes moved{0};       ///< what the chosen kernel moves to and from memory or cache
  Seconds compute{0};   ///< for which it keeps the arithmetic units busy
  Seconds memory{0};    ///< for which it keeps the memory busy
  Seconds link{0};      ///< for which it keeps its link busy

  Seconds time() const { return parts.total(); }
};

}  // namespace inferometer
