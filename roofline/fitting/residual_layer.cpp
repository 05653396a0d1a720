#include "roofline/fitting/residual_layer.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "model/nearest_rank.hpp"

namespace inferometer {
namespace {

using Points = std::vector<std::vector<float>>;
using Groups = std::vector<std::vector<Eigen::Index>>;

double matern(double square_of_distance) {
  const double d = std::sqrt(3 * square_of_distance);
  return (1 + d) * std::exp(-d);
}

/// Lengths of the features in octaves, together and each alone, and the variance that no neighbour shares.
struct Scales {
  std::vector<float> lengths, alone;
  float noise = 0.3F;
};

double covariance(const std::vector<float>& a, const std::vector<float>& b, const std::vector<float>& lengths,
                  const std::vector<float>& alone) {
  double square = 0, sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double apart = static_cast<double>(a[i] - b[i]), d = apart / static_cast<double>(lengths[i]);
    square += d * d;
    if (alone[i] > 0) sum += matern(std::pow(apart / static_cast<double>(alone[i]), 2));
  }
  return matern(square) + sum;
}

Eigen::MatrixXd covariance(const Points& points, const Scales& scales) {
  const auto n = static_cast<Eigen::Index>(points.size());
  Eigen::MatrixXd k(n, n);
  for (Eigen::Index i = 0; i < n; ++i) {
    for (Eigen::Index j = 0; j <= i; ++j) {
      k(i, j) = k(j, i) = covariance(points[static_cast<std::size_t>(i)], points[static_cast<std::size_t>(j)],
                                     scales.lengths, scales.alone);
    }
    k(i, i) += static_cast<double>(scales.noise);
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

std::vector<float> point_of(const KernelCall& call) {
  const std::vector<double> features = features_of(call);
  return {features.begin(), features.end()};
}

struct Part {
  Points points;
  Eigen::VectorXd y;
  Groups groups;
};

/// A ratio beyond ten robust standard deviations is a disturbed measurement or another kernel: it counts as
/// that far off, lest the layer bends to it. source  Huber, "Robust Statistics", 1981, section 5
double most_believed(const std::vector<double>& ratios) {
  std::vector<double> sizes;
  for (const double r : ratios) sizes.push_back(std::abs(r));
  return std::min(1.0, 10 * 1.4826 * nearest_rank(std::move(sizes), 0.5));
}

/// At most `count` samples, spread evenly over their order.
Part part_of(const std::vector<Sample>& samples, const std::vector<double>& ratios, std::size_t count) {
  const std::size_t n = std::min(count, samples.size());
  const double most = most_believed(ratios);
  Part part{.points = {}, .y = Eigen::VectorXd(static_cast<Eigen::Index>(n)), .groups = {}};
  std::map<std::vector<std::int64_t>, std::vector<Eigen::Index>> groups;
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t s = i * samples.size() / n;
    part.points.push_back(point_of(samples[s].call));
    part.y(static_cast<Eigen::Index>(i)) = static_cast<float>(std::clamp(ratios[s], -most, most));
    groups[shape_of(samples[s].call)].push_back(static_cast<Eigen::Index>(i));
  }
  for (auto& [shape, members] : groups) part.groups.push_back(std::move(members));
  return part;
}

/// The feature that calls of one shape differ in, as products of the same weights do in rows; nothing where
/// that is none or several. What is seen of it in some shapes is no property of theirs.
std::optional<std::size_t> feature_within_shapes(const Part& part) {
  std::optional<std::size_t> within;
  for (std::size_t f = 0; f < part.points.front().size(); ++f) {
    const bool differs = std::any_of(part.groups.begin(), part.groups.end(), [&](const auto& group) {
      return std::any_of(group.begin(), group.end(), [&](Eigen::Index i) {
        return part.points[static_cast<std::size_t>(i)][f] !=
               part.points[static_cast<std::size_t>(group.front())][f];
      });
    });
    if (differs && within) return std::nullopt;
    if (differs) within = f;
  }
  return within;
}

/// The scales with which shapes left out are predicted best, found one at a time.
Scales best_scales(const Part& part) {
  const std::size_t features = part.points.front().size();
  Scales best{.lengths = std::vector<float>(features, 2.0F), .alone = std::vector<float>(features, 0.0F)};
  const std::optional<std::size_t> within = feature_within_shapes(part);
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
      for (const float factor : {0.5F, 2.0F}) {
        Scales s = best;
        s.lengths[i] = std::clamp(s.lengths[i] * factor, 0.25F, 32.0F);
        attempt(s);
      }
    }
    for (const float length : {0.0F, 0.25F, 1.0F}) {
      if (!within) break;
      Scales s = best;
      s.alone[*within] = length;
      attempt(s);
    }
    for (const float noise : {0.03F, 0.1F, 0.3F, 1.0F}) {
      Scales s = best;
      s.noise = noise;
      attempt(s);
    }
  }
  return best;
}

ResidualLayer::Kept kept_of(Part part, const Scales& scales) {
  std::vector<float> ratios;
  for (const double y : part.y) ratios.push_back(static_cast<float>(y));
  return {scales.lengths, scales.alone, scales.noise, std::move(part.points), std::move(ratios)};
}

constexpr std::size_t to_search = 450, to_keep = 1500;

}  // namespace

ResidualLayer::ResidualLayer(const std::vector<Sample>& samples, const std::vector<double>& log_ratios) {
  const Scales scales = best_scales(part_of(samples, log_ratios, to_search));
  Part part = part_of(samples, log_ratios, to_keep);
  if (part.groups.size() < 2) return;  // nothing tells whether it would help
  const Eigen::MatrixXd k = covariance(part.points, scales);
  const double left = left_out_errors(k, part.y, part.groups).cwiseAbs().mean();
  if (left < 0.98 * part.y.cwiseAbs().mean()) *this = ResidualLayer(kept_of(std::move(part), scales));
}

ResidualLayer::ResidualLayer(Kept kept) : kept_(std::move(kept)) {
  Eigen::VectorXd y(static_cast<Eigen::Index>(kept_.log_ratios.size()));
  std::copy(kept_.log_ratios.begin(), kept_.log_ratios.end(), y.begin());
  const Eigen::VectorXd weights =
      covariance(kept_.points, {kept_.lengths, kept_.alone, kept_.noise}).llt().solve(y);
  weights_.assign(weights.begin(), weights.end());
}

ResidualLayer ResidualLayer::again(const std::vector<Sample>& samples,
                                   const std::vector<double>& log_ratios) const {
  if (!on()) return {};
  return ResidualLayer(
      kept_of(part_of(samples, log_ratios, to_keep), {kept_.lengths, kept_.alone, kept_.noise}));
}

double ResidualLayer::at(const KernelCall& call) const {
  if (!on()) return 0;
  const std::vector<float> here = point_of(call);
  double sum = 0;
  for (std::size_t i = 0; i < kept_.points.size(); ++i)
    sum += weights_[i] * covariance(here, kept_.points[i], kept_.lengths, kept_.alone);
  return std::clamp(sum, -1.0, 1.0);
}

}  // namespace inferometer
