#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>

#include "reports/svg.hpp"
#include "tests/bench/serving_load.hpp"

// serving_scaling FILE.svg [MOST]: how long a served run takes to predict, for 1 thousand to MOST (10
// million) requests and 1 to 64 replicas; a table on standard output and a drawing.

namespace inferometer {
namespace {

constexpr std::array replica_counts{1, 4, 16, 64};
constexpr std::array colours{"#1f5fae", "#d98532", "#7aa874", "#b2452f"};
constexpr double left = 70, top = 20, width = 520, height = 300;

struct Point {
  std::int64_t requests = 0;
  double seconds = 0;
};

/// The fastest of three where it is short. Time of the processor: the loop has one thread, and others may use
/// the machine.
Point measure(const PredictedServer& server, std::int64_t requests, std::int64_t replicas) {
  const Traffic traffic = poisson_traffic(requests, replicas);
  Point best{.requests = requests, .seconds = 1e9};
  ServingRun run;
  for (int i = 0; i < (requests > 100'000 ? 1 : 3); ++i) {
    const std::clock_t start = std::clock();
    run = server.serve(traffic);
    best.seconds = std::min(best.seconds, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  std::printf("| %lld | %lld | %.3g | %lld | %.0f %% | %.0f %% | %.0f |\n", static_cast<long long>(requests),
              static_cast<long long>(replicas), best.seconds, static_cast<long long>(run.steps),
              100 * static_cast<double>(run.jumped_steps) / static_cast<double>(run.steps),
              100 * utilisation_of(run), best.seconds * 1e9 / static_cast<double>(events_of(run)));
  std::fflush(stdout);
  return best;
}

/// On logarithmic axes: 1e3 to 1e7 requests, 1 ms to 100 s.
double x_of(double requests) { return left + width * (std::log10(requests) - 3) / 4; }
double y_of(double seconds) { return top + height * (1 - (std::log10(seconds) + 3) / 5); }

std::string axes() {
  std::string text;
  for (int e = 3; e <= 7; ++e) {
    const double x = x_of(std::pow(10, e));
    text += svg_line(x, top, x, top + height, "grid") +
            svg_text(x, top + height + 18, "middle", fmt::format("10^{}", e));
  }
  for (int e = -3; e <= 2; ++e) {
    const double y = y_of(std::pow(10, e));
    text += svg_line(left, y, left + width, y, "grid") +
            svg_text(left - 8, y + 4, "end", fmt::format("{:g} s", std::pow(10, e)));
  }
  return text + svg_text(left + width / 2, top + height + 38, "middle", "requests");
}

std::string curve(const std::vector<Point>& points, std::size_t index) {
  std::string css = fmt::format("c{}", index), text;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double x = x_of(static_cast<double>(points[i].requests)), y = y_of(points[i].seconds);
    text += svg_rect(x - 3, y - 3, 6, 6, css,
                     fmt::format("{} requests: {:.3g} s", points[i].requests, points[i].seconds));
    if (i > 0)
      text +=
          svg_line(x_of(static_cast<double>(points[i - 1].requests)), y_of(points[i - 1].seconds), x, y, css);
  }
  const double y = top + 16 + 18 * static_cast<double>(index);
  return text + svg_line(left + 14, y - 4, left + 38, y - 4, css) +
         svg_text(left + 46, y, "label",
                  fmt::format("{} replica{}", replica_counts[index], replica_counts[index] == 1 ? "" : "s"));
}

}  // namespace
}  // namespace inferometer

int main(int count, char** arguments) {
  using namespace inferometer;
  if (count < 2 || count > 3) return std::fputs("serving_scaling FILE.svg [MOST]\n", stderr), 2;
  const double most = count == 3 ? std::atof(arguments[2]) : 1e7;
  std::printf(
      "| requests | replicas | s | steps | jumped | busy | ns/event |\n| ---: | ---: | ---: | ---: | ---: | "
      "---: | ---: |\n");
  std::string style =
      "text{font:13px system-ui,sans-serif;fill:#59636e}.middle{text-anchor:middle}"
      ".end{text-anchor:end}.grid{stroke:#dfe3e8}";
  std::string content = axes();
  for (std::size_t i = 0; i < replica_counts.size(); ++i) {
    style += fmt::format(".c{0}{{stroke:{1};fill:{1};stroke-width:1.6}}", i, colours[i]);
    const PredictedServer server(replica_counts[i]);
    std::vector<Point> points;
    for (std::int64_t n = 1000; static_cast<double>(n) <= most; n *= 10)
      points.push_back(measure(server, n, replica_counts[i]));
    content += curve(points, i);
  }
  const std::string drawing = svg(left + width + 20, top + height + 50, "time to predict a served run",
                                  "<style>" + style + "</style>" + content);
  // By itself it has to name its language.
  std::ofstream(arguments[1]) << "<svg xmlns=\"http://www.w3.org/2000/svg\"" << drawing.substr(4);
  return 0;
}
