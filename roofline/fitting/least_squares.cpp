#include "roofline/fitting/least_squares.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

namespace inferometer {
namespace {

double mean_loss(const std::vector<double>& residuals, double scale) {
  double sum = 0;
  for (const double r : residuals) sum += 2 * scale * (std::sqrt(scale * scale + r * r) - scale);
  return sum / static_cast<double>(std::max<std::size_t>(1, residuals.size()));
}

}  // namespace

LeastSquaresResult least_squares(const Residuals& residuals, std::vector<double> at,
                                 const LeastSquaresOptions& options) {
  const auto n = static_cast<Eigen::Index>(at.size());
  std::vector<double> r = residuals(at);
  double loss = mean_loss(r, options.scale), damping = 0.1;
  for (int i = 0; i < options.iterations; ++i) {
    const auto rows = static_cast<Eigen::Index>(r.size());
    Eigen::MatrixXd jacobian(rows, n);
    Eigen::VectorXd weight(rows), error(rows);
    for (Eigen::Index row = 0; row < rows; ++row) {
      const double v = r[static_cast<std::size_t>(row)];
      weight(row) = 1 / std::sqrt(std::sqrt(1 + v * v / (options.scale * options.scale)));
      error(row) = weight(row) * v;
    }
    for (Eigen::Index j = 0; j < n; ++j) {
      std::vector<double> beside = at;
      double& x = beside[static_cast<std::size_t>(j)];
      const double step = x > 0.5 ? -2e-3 : 2e-3;
      x += step;
      const std::vector<double> there = residuals(beside);
      for (Eigen::Index row = 0; row < rows; ++row) {
        const auto k = static_cast<std::size_t>(row);
        jacobian(row, j) = weight(row) * (there[k] - r[k]) / step;
      }
    }
    const Eigen::MatrixXd normal = jacobian.transpose() * jacobian;
    const Eigen::VectorXd gradient = jacobian.transpose() * error;
    bool better = false;
    for (int attempt = 0; attempt < 6 && !better; ++attempt) {
      Eigen::MatrixXd damped = normal;
      const double least = 1e-6 * normal.diagonal().maxCoeff() + 1e-12;
      for (Eigen::Index j = 0; j < n; ++j) damped(j, j) += damping * std::max(normal(j, j), least);
      const Eigen::VectorXd step = damped.ldlt().solve(gradient);
      std::vector<double> next = at;
      for (std::size_t j = 0; j < next.size(); ++j)
        next[j] = std::clamp(next[j] - step(static_cast<Eigen::Index>(j)), 0.0, 1.0);
      std::vector<double> there = residuals(next);
      const double value = mean_loss(there, options.scale);
      better = value < loss;
      damping = better ? damping / 4 : damping * 4;
      if (!better) continue;
      const bool settled = loss - value < 1e-4 * loss;
      at = std::move(next);
      r = std::move(there);
      loss = value;
      if (settled) return {at, loss};
    }
    if (!better) break;
  }
  return {at, loss};
}

}  // namespace inferometer
