#include "roofline/fitting/residual_layer.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <map>

namespace inferometer {
namespace {

using Points = std::vector<std::vector<double>>;
using Groups = std::vector<std::vector<Eigen::Index>>;

double matern(const std::vector<double>& a, const std::vector<double>& b,
              const std::vector<double>& lengths) {
  double square = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = (a[i] - b[i]) / lengths[i];
    square += d * d;
  }
  const double d = std::sqrt(3 * square);
  return (1 + d) * std::exp(-d);
}

/// Lengths of the features in octaves, and how much of the variance is noise that no neighbour shares.
struct Scales {
  std::vector<double> lengths;
  double noise = 0.3;
};

Eigen::MatrixXd covariance(const Points& points, const Scales& scales) {
  const auto n = static_cast<Eigen::Index>(points.size());
  Eigen::MatrixXd k(n, n);
  for (Eigen::Index i = 0; i < n; ++i) {
    for (Eigen::Index j = 0; j <= i; ++j) {
      k(i, j) = k(j, i) =
          matern(points[static_cast<std::size_t>(i)], points[static_cast<std::size_t>(j)], scales.lengths);
    }
    k(i, i) += scales.noise;
  }
  return k;
}

/// Errors of predicting each group from the others.
Eigen::VectorXd left_out_errors(const Eigen::MatrixXd& k, const Eigen::VectorXd& y, const Groups& groups) {
  const Eigen::MatrixXd inverse = k.llt().solve(Eigen::MatrixXd::Identity(k.rows(), k.cols()));
  const Eigen::VectorXd alpha = inverse * y;
  Eigen::VectorXd errors(y.size());
  for (const auto& group : groups) {
    const Eigen::MatrixXd block = inverse(group, group);
    const Eigen::VectorXd error = block.llt().solve(alpha(group).eval());
    for (std::size_t i = 0; i < group.size(); ++i) errors(group[i]) = error(static_cast<Eigen::Index>(i));
  }
  return errors;
}

struct Part {
  Points points;
  Eigen::VectorXd y;
  Groups groups;
};

/// At most `count` samples, whole shapes as they come in the order of their sizes.
Part part_of(const std::vector<Sample>& samples, const std::vector<double>& ratios, std::size_t count,
             std::vector<std::size_t>* which = nullptr) {
  const std::size_t n = std::min(count, samples.size());
  Part part{.points = {}, .y = Eigen::VectorXd(static_cast<Eigen::Index>(n)), .groups = {}};
  std::map<std::vector<std::int64_t>, std::vector<Eigen::Index>> groups;
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t s = i * samples.size() / n;
    if (which != nullptr) which->push_back(s);
    part.points.push_back(features_of(samples[s].call));
    part.y(static_cast<Eigen::Index>(i)) = std::clamp(ratios[s], -1.0, 1.0);
    groups[shape_of(samples[s].call)].push_back(static_cast<Eigen::Index>(i));
  }
  for (auto& [shape, members] : groups) part.groups.push_back(std::move(members));
  return part;
}

/// The scales with which shapes left out are predicted best, found one at a time.
Scales best_scales(const Part& part) {
  Scales best{.lengths = std::vector<double>(part.points.front().size(), 2.0)};
  const auto error = [&](const Scales& s) {
    return left_out_errors(covariance(part.points, s), part.y, part.groups).cwiseAbs().mean();
  };
  double least = error(best);
  const auto attempt = [&](const Scales& s) {
    const double e = error(s);
    if (e < least) {
      least = e;
      best = s;
    }
  };
  for (int sweep = 0; sweep < 2; ++sweep) {
    for (std::size_t i = 0; i < best.lengths.size(); ++i) {
      for (const double factor : {0.5, 2.0}) {
        Scales s = best;
        s.lengths[i] = std::clamp(s.lengths[i] * factor, 0.25, 32.0);
        attempt(s);
      }
    }
    for (const double noise : {0.03, 0.1, 0.3, 1.0}) {
      Scales s = best;
      s.noise = noise;
      attempt(s);
    }
  }
  return best;
}

constexpr std::size_t to_search = 450, to_keep = 1500;

}  // namespace

ResidualLayer::ResidualLayer(const std::vector<Sample>& samples, const std::vector<double>& log_ratios)
    : left_out_(log_ratios) {
  const Scales scales = best_scales(part_of(samples, log_ratios, to_search));
  std::vector<std::size_t> which;
  Part part = part_of(samples, log_ratios, to_keep, &which);
  if (part.groups.size() < 2) return;  // nothing tells whether it would help
  const Eigen::MatrixXd k = covariance(part.points, scales);
  const Eigen::VectorXd errors = left_out_errors(k, part.y, part.groups);
  on_ = errors.cwiseAbs().mean() < 0.98 * part.y.cwiseAbs().mean();
  if (!on_) return;
  for (std::size_t i = 0; i < which.size(); ++i)
    left_out_[which[i]] += errors(static_cast<Eigen::Index>(i)) - part.y(static_cast<Eigen::Index>(i));
  const Eigen::VectorXd weights = k.llt().solve(part.y);
  weights_.assign(weights.begin(), weights.end());
  points_ = std::move(part.points);
  lengths_ = scales.lengths;
}

double ResidualLayer::at(const KernelCall& call) const {
  if (!on_) return 0;
  const std::vector<double> here = features_of(call);
  double sum = 0;
  for (std::size_t i = 0; i < points_.size(); ++i) sum += weights_[i] * matern(here, points_[i], lengths_);
  return std::clamp(sum, -1.0, 1.0);
}

}  // namespace inferometer
