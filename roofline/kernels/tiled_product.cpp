#include "roofline/kernels/tiled_product.hpp"

#include <algorithm>
#include <cmath>

#include "roofline/kernels/turns.hpp"

namespace inferometer {
namespace {

double tile_time(const Products& of, const TileRates& r, const Chip& c, double bm, double bn, double k) {
  const double g = bm * bn / (bm + bn);
  const double multiply = 2 * bm * bn * k / (r.flops / c.sms * r.efficiency * g / (g + r.half_tile));
  const double fed = (bm * of.input_bytes + bn * of.weight_bytes) * k / (r.l2_feed * c.clock);
  return std::max(multiply, fed) + r.ramp + r.epilogue * bm * bn / 16384;
}

}  // namespace

double tiles_time(const Products& of, const TileRates& r, const Chip& c) {
  double best = 1e30;
  for (const int bm : {16, 32, 64, 128, 256}) {
    if (bm > 32 && bm >= 2 * of.m) continue;
    for (const int bn : {64, 128, 256}) {
      if ((bn > of.n && bn > 64) || bm * bn > 32768) continue;
      for (int s = 1; s <= r.splits && (s == 1 || of.k / s >= 256); s *= 2) {
        const double ctas = of.heads * std::ceil(of.m / bm) * std::ceil(of.n / bn) * s;
        const double w = turns(ctas, c.sms, r.whole_waves);
        best = std::min(best, w * tile_time(of, r, c, bm, bn, of.k / s));
      }
    }
  }
  return best;
}

}  // namespace inferometer
