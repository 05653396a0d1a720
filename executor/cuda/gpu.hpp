#pragma once
#include <cstdint>
#include <string>

#include "model/result.hpp"
#include "model/units.hpp"

namespace inferometer::cuda {

/// What a GPU is, as the driver tells.
struct Gpu {
  int index = 0;
  std::string name;
  std::string bus;           ///< PCI address, such as "0000:18:00.0"
  int major = 0, minor = 0;  ///< compute capability
  int processors = 0;        ///< streaming multiprocessors
  Bytes memory{0}, available{0};
  int driver = 0, runtime = 0;  ///< CUDA versions, such as 13000

  bool hopper() const { return major == 9; }
};

/// "13.0" for 13000.
std::string cuda_version(int number);

/// errors  no driver, no such device
[[nodiscard]] Result<Gpu> find_gpu(int index);

}  // namespace inferometer::cuda
