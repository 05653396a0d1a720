#include "model/memory.hpp"

#include <gtest/gtest.h>

#include "tests/model/networks.hpp"

namespace inferometer {
namespace {

TEST(Memory, ACopyBesideTheStepsNeedsItsBuffersOnTheDevice) {
  Case c;
  c.models["model"] = tiny_llama();
  const Structure structure = *compile(c.model(), c.plan);
  const Bytes without = memory_budget(c, structure).total();
  const auto more = [&](CopyDirection direction) {
    c.workload.copy_beside = {.bytes = Bytes{1000}, .direction = direction};
    return memory_budget(c, structure).total() - without;
  };
  EXPECT_EQ(more(CopyDirection::within_device), Bytes{2000});
  EXPECT_EQ(more(CopyDirection::to_host), Bytes{1000});
  EXPECT_EQ(more(CopyDirection::from_host), Bytes{1000});
}

}  // namespace
}  // namespace inferometer
