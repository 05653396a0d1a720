#include "executor/cuda/tune.hpp"

#include <algorithm>
#include <chrono>

#include "executor/cuda/product_choice.hpp"
#include "executor/cuda/timed_product.hpp"
#include "model/nearest_rank.hpp"

namespace inferometer::cuda {
namespace {

constexpr int most_algorithms = 64, most_rounds = 15, least_turns = 7, most_turns = 41;
constexpr double must_win = 0.01;
constexpr double hopeless = 1.3, behind = 1.05;  ///< times the best: dropped after the first and third round
constexpr Seconds long_enough{200e-6};           ///< for one measurement

struct Candidate {
  ProductChoice choice;
  std::vector<double> times, ratios;  ///< [s]; to the default choice's of the same round
};

/// The default choice first.
Result<std::vector<Candidate>> candidates_of(const ProductShape& shape, const ProductLimits& limits,
                                             const TimedProduct& product) {
  const ProductChoice usual = choose(shape, limits, {});
  std::vector<Candidate> all{{usual, {}, {}}};
  for (const ProductKernel kernel : {ProductKernel::one_token, ProductKernel::streamed}) {
    if (kernel != usual.kernel && fits(kernel, shape, limits)) all.push_back({{kernel, {}}, {}, {}});
  }
  const auto algorithms = product.algorithms(most_algorithms);
  if (!algorithms) return failure(algorithms.error());
  // cuBLASLt's default is the first of them.
  for (std::size_t i = usual.kernel == ProductKernel::cublaslt ? 1 : 0; i < algorithms->size(); ++i)
    all.push_back({{ProductKernel::cublaslt, (*algorithms)[i]}, {}, {}});
  return all;
}

class Search {
 public:
  Search(TimedProduct product, std::vector<Candidate> candidates, Seconds budget)
      : product_(std::move(product)), running_(std::move(candidates)), budget_(budget) {}

  Result<Trial> run() {
    const ProductChoice usual = running_.front().choice;
    if (const Done done = warm_up(); !done) return failure(done.error());
    Trial trial{
        .candidates = static_cast<std::int64_t>(running_.size()), .usual = usual, .best = {.choice = usual}};
    for (int round = 0; round < most_rounds && (round < 3 || spent() < 0.7 * budget_); ++round) {
      if (const Done done = time_all(round % 2 == 1); !done) return failure(done.error());
      if (round == 0) drop_beyond(hopeless);
      if (round >= 2) drop_beyond(behind);
    }
    if (const Done done = run_in_turns(trial); !done) return failure(done.error());
    return trial;
  }

 private:
  Seconds spent() const { return std::chrono::steady_clock::now() - start_; }

  /// Loads each kernel; the ones that fail are no candidates. The last of the heuristics' are left out where
  /// that takes long.
  Done warm_up() {
    const Result<Seconds> first = product_.time(running_.front().choice, 3);
    const Result<Seconds> once = first ? product_.time(running_.front().choice, 3) : first;
    if (!once) return failure(once.error());
    launches_ = static_cast<int>(std::clamp(long_enough / *once, 1.0, 20.0));
    std::vector<Candidate> ready;
    for (Candidate& c : running_) {
      const bool usual = ready.empty();
      if (!usual && spent() > budget_ / 3) break;
      if (usual || product_.time(c.choice, 1)) ready.push_back(std::move(c));
    }
    running_ = std::move(ready);
    return std::monostate{};
  }

  /// One round, every second one the other way round.
  Done time_all(bool backward) {
    std::vector<Candidate*> order;
    for (Candidate& c : running_) order.push_back(&c);
    if (backward) std::reverse(order.begin(), order.end());
    for (Candidate* c : order) {
      const Result<Seconds> time = product_.time(c->choice, launches_);
      if (!time) return failure(time.error());
      c->times.push_back(time->count());
    }
    for (Candidate& c : running_) c.ratios.push_back(c.times.back() / running_.front().times.back());
    return std::monostate{};
  }

  /// The default choice stays: it is what others are compared with.
  void drop_beyond(double factor) {
    const double best = nearest_rank(fastest().ratios, 0.5);
    const auto slow = [&](const Candidate& c) { return nearest_rank(c.ratios, 0.5) > factor * best; };
    running_.erase(std::remove_if(running_.begin() + 1, running_.end(), slow), running_.end());
  }

  const Candidate& fastest() const {
    return *std::min_element(running_.begin(), running_.end(), [](const Candidate& a, const Candidate& b) {
      return nearest_rank(a.ratios, 0.5) < nearest_rank(b.ratios, 0.5);
    });
  }

  Done run_in_turns(Trial& trial) {
    const Candidate &usual = running_.front(), &best = fastest();
    trial.best.choice = best.choice;
    std::vector<double> usual_times, best_times, ratios;
    for (int turn = 0; turn < most_turns && (turn < least_turns || spent() < budget_); ++turn) {
      double times[2] = {};
      for (const int i : {turn % 2, 1 - turn % 2}) {
        const Result<Seconds> time = product_.time((i == 0 ? usual : best).choice, launches_);
        if (!time) return failure(time.error());
        times[i] = time->count();
      }
      usual_times.push_back(times[0]);
      best_times.push_back(times[1]);
      ratios.push_back(times[1] / times[0]);
    }
    trial.best.time = Seconds{nearest_rank(best_times, 0.5)};
    trial.best.default_time = Seconds{nearest_rank(usual_times, 0.5)};
    trial.better = &best != &usual && nearest_rank(ratios, 0.75) < 1 - must_win;
    return std::monostate{};
  }

  TimedProduct product_;
  std::vector<Candidate> running_;
  Seconds budget_;
  int launches_ = 1;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace

Result<Trial> tune_product(const ProductShape& shape, const Gpu& gpu, const TuneOptions& options) {
  Result<TimedProduct> product = TimedProduct::of(shape, gpu, options.overlap);
  if (!product) return failure(product.error());
  auto candidates = candidates_of(shape, {.hopper = gpu.hopper()}, *product);
  if (!candidates) return failure(candidates.error());
  return Search(std::move(*product), std::move(*candidates), options.budget).run();
}

}  // namespace inferometer::cuda
