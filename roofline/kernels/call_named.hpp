#pragma once
#include <optional>

#include "roofline/kernels/kernel_call.hpp"

namespace inferometer {

/// A call of an operator and variant, with sizes that mean nothing: what else is known of them by their
/// names, such as their parameters. A variant may have more behind it, by "/" or " + ": what else is told
/// apart of its kernels. Nothing of names that no kernel has.
std::optional<KernelCall> call_named(std::string_view op, std::string_view variant);

}  // namespace inferometer
