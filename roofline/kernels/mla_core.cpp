#include "roofline/kernels/mla_core.hpp"

#include <algorithm>
#include <cmath>

#include "roofline/kernels/turns.hpp"

namespace inferometer {
namespace {

namespace decode {
enum P : std::size_t { block, eff, feed, crowd, chunk, soft, mem, hot, ovl, meet, head };
}
namespace prefill {
enum P : std::size_t { block, eff, score, imb, soft, prep, hot, power };
}

/// Of buffers that every call uses again: the part that stayed in L2.
double resident(double bytes, const Chip& c) {
  return std::clamp((1.1 * c.l2 - bytes) / (0.6 * c.l2), 0.0, 1.0);
}

double stream(double bytes, double hot, const Chip& c) {
  const double f = resident(bytes, c);
  return bytes * (1 - f + f / hot) / c.bandwidth;
}

}  // namespace

KernelTime decode_time(const MlaCore& a, const Chip& c, Values p) {
  using namespace decode;
  const double tile = c.generation() > 1.5 ? 128 : 64;  // heads a block, or a pair of them, attends for
  const double width = MlaCore::latent + MlaCore::rope;
  const double units = a.batch * std::ceil(a.heads / tile);
  // Before Hopper a block attends all tokens of a sequence.
  const double parts =
      c.generation() < 0.75 ? 1.0 : std::max(1.0, std::min(a.kv_len / p[chunk], c.sms / units));
  const double blocks = units * parts;
  const double length = std::max(64.0, a.kv_len / parts);
  const double multiply = 2 * tile * (width + MlaCore::latent) / (a.flops / c.sms * p[eff]);
  const double token = std::max(multiply, width * a.kv_bytes / (p[feed] * c.clock));
  const double crowding = 1 + p[crowd] * std::min(1.0, blocks / c.sms);
  const double compute = turns(blocks, c.sms, p[soft]) * (p[block] + length * token) * crowding;
  const double partial = parts > 1 ? 2 * 4 * parts * MlaCore::latent : 0;
  const double around = p[head] * a.batch * a.heads * (2 * (width + MlaCore::latent) + partial) / c.bandwidth;
  const double memory = stream(a.batch * a.kv_len * width * a.kv_bytes, p[hot], c) / p[mem];
  const double meeting = p[meet] * std::min(1.0, parts - 1);
  return {std::max(compute, memory) + p[ovl] * std::min(compute, memory) + around + meeting, 0, compute,
          memory + around};
}

KernelTime prefill_time(const MlaCore& a, const Chip& c, Values p) {
  using namespace prefill;
  const double rows = 128, s = a.kv_len, key = MlaCore::nope + MlaCore::rope;
  const double blocks = a.batch * a.heads * std::ceil(s / rows);
  const double mean = std::max(64.0, s <= rows ? s : (s + rows) / 2), longest = std::max(64.0, s);
  const double per = rows * (2 * (key + MlaCore::value) / (a.flops / c.sms * p[eff]) + p[score] / c.clock);
  const double w = turns(blocks, c.sms, p[soft]);
  double compute = std::max(w * (p[block] + mean * per), p[block] + longest * per) +
                   p[imb] * (longest - mean) * per * std::min(1.0, blocks / c.sms);
  compute *= 1 + p[power] * compute / (compute + 500);
  const double tokens = a.batch * s;
  const double bytes = tokens * a.heads * 2 * (2 * (2 * key + MlaCore::value) + MlaCore::value);
  const double memory = p[prep] * stream(bytes, p[hot], c);
  return {compute + memory, 0, compute, memory};
}

}  // namespace inferometer
