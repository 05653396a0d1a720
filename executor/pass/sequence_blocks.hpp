#pragma once
#include <cstdint>

namespace inferometer {

/// What one sequence asks of attention.
struct SequenceBlocks {
  std::int64_t fresh = 0, cached = 0;
  const std::int32_t* block_table = nullptr;
};

}  // namespace inferometer
