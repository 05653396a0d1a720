#pragma once
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "scenarios/sweep.hpp"

struct sqlite3;

namespace inferometer {

/// A point as it is kept.
struct StoredPoint {
  std::string key;
  std::vector<std::optional<double>> metrics;  ///< in the order of point_metrics()
  std::string failed;                          ///< why there are none
};

/// Points of sweeps in one SQLite file:
///   points  a row for each, by its key: model, device, level and calibration, program, failed (why), the
///           columns of point_metrics(), result_json
///   places  (key, path, value): what a point is in a sweep, by axis
///   grid    a view of the last sweep's points, with a column for each axis
/// PRAGMA user_version counts changes of this. A point is there whole or not at all, and what is there
/// outlives the process and the machine's power (write-ahead log, synchronous full).
class Store final : public PointSink {
 public:
  /// Makes the file where there is none.
  /// errors  a damaged file, one that is no store or a newer version's, what the file system refuses
  [[nodiscard]] static Result<std::unique_ptr<Store>> open(const std::filesystem::path& file,
                                                           const std::vector<std::string>& axes,
                                                           const std::string& program);
  ~Store() override;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  Result<bool> has(const std::string& key) override;
  Done place(const SweepPoint& point, const std::string& key) override;
  Done keep(const PointResult& result) override;
  /// The points with these keys.   errors also: one that is not there
  [[nodiscard]] Result<std::vector<StoredPoint>> read(const std::vector<std::string>& keys);

 private:
  Store(sqlite3* database, std::filesystem::path file, std::vector<std::string> axes, std::string program);

  Done prepare_file();
  Done make_view();
  Done place_unlocked(const SweepPoint& point, const std::string& key);
  Done keep_unlocked(const PointResult& result, const std::string& json);

  sqlite3* database_;
  std::filesystem::path file_;
  std::vector<std::string> axes_;
  std::string program_;
  std::mutex guard_;
};

}  // namespace inferometer
