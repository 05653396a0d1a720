#include "reports/store.hpp"

#include <fmt/format.h>

#include <utility>

#include "reports/point_metrics.hpp"
#include "reports/reports.hpp"
#include "reports/sqlite.hpp"

namespace inferometer {
namespace {

/// Raised when the tables change.
constexpr int schema_version = 1;

Done in_file(const std::filesystem::path& file, const std::string& error) {
  if (error.empty()) return std::monostate{};
  return failure(file.string() + ": " + error);
}

Done execute(sqlite3* database, const std::filesystem::path& file, const std::string& sql) {
  char* message = nullptr;
  if (sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &message) == SQLITE_OK) return std::monostate{};
  const std::string error = message == nullptr ? sqlite3_errmsg(database) : message;
  sqlite3_free(message);
  return in_file(file, error);
}

/// Ends a transaction that is not committed.
class Transaction {
 public:
  Transaction(sqlite3* database, const std::filesystem::path& file) : database_(database), file_(file) {}
  ~Transaction() {
    if (open_) sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  Done begin() {
    Done done = execute(database_, file_, "BEGIN IMMEDIATE");
    open_ = done.has_value();
    return done;
  }
  Done commit() {
    Done done = execute(database_, file_, "COMMIT");
    if (done) open_ = false;
    return done;
  }

 private:
  sqlite3* database_;
  const std::filesystem::path& file_;
  bool open_ = false;
};

std::string tables() {
  std::string points =
      "CREATE TABLE points(key TEXT PRIMARY KEY, model TEXT NOT NULL, device TEXT NOT NULL, level TEXT NOT "
      "NULL, calibration TEXT NOT NULL, program TEXT NOT NULL, failed TEXT NOT NULL";
  for (const PointMetric& m : point_metrics()) points += fmt::format(", {} REAL", m.column);
  return points +
         ", result_json TEXT NOT NULL);"
         "CREATE TABLE places(key TEXT NOT NULL, path TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY(key, "
         "path, value)) WITHOUT ROWID;" +
         fmt::format("PRAGMA user_version = {};", schema_version);
}

std::string metric_columns() {
  std::string text;
  for (const PointMetric& m : point_metrics()) text += fmt::format(", p.{}", m.column);
  return text;
}

}  // namespace

Store::Store(sqlite3* database, std::filesystem::path file, std::vector<std::string> axes,
             std::string program)
    : database_(database), file_(std::move(file)), axes_(std::move(axes)), program_(std::move(program)) {}

Store::~Store() { sqlite3_close(database_); }

Result<std::unique_ptr<Store>> Store::open(const std::filesystem::path& file,
                                           const std::vector<std::string>& axes, const std::string& program) {
  std::error_code ignored;
  if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path(), ignored);
  sqlite3* database = nullptr;
  const int code = sqlite3_open(file.c_str(), &database);
  std::unique_ptr<Store> store(new Store(database, file, axes, program));
  if (code != SQLITE_OK) return failure(file.string() + ": " + sqlite3_errmsg(database));
  if (const Done done = store->prepare_file(); !done) return failure(done.error());
  if (const Done done = store->make_view(); !done) return failure(done.error());
  return store;
}

Done Store::prepare_file() {
  constexpr const char* help = "; move it away, or name another folder";
  sqlite3_busy_timeout(database_, 10'000);  // another run may be writing
  for (const char* pragma : {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"}) {
    if (const Done done = execute(database_, file_, pragma); !done)
      return failure(done.error().front().message + help);
  }
  {
    Statement check(database_, "PRAGMA quick_check(1)");
    const std::string found = check.step() ? check.text(0) : check.error();
    if (found != "ok") return failure(file_.string() + ": is damaged: " + found + help);
  }
  Transaction transaction(database_, file_);
  if (const Done begun = transaction.begin(); !begun) return begun;
  const auto number = [&](const char* sql) {
    Statement s(database_, sql);
    return s.step() ? static_cast<int>(s.number(0).value_or(0)) : 0;
  };
  const int version = number("PRAGMA user_version");
  if (version > schema_version)
    return failure(fmt::format("{}: was written by a newer inferometer (schema {}; this one knows {}){}",
                               file_.string(), version, schema_version, help));
  if (version == 0 && number("SELECT count(*) FROM sqlite_master") > 0)
    return failure(file_.string() + ": is an SQLite file, but no store of inferometer" + help);
  if (version == 0) {
    if (const Done made = execute(database_, file_, tables()); !made) return made;
  }
  return transaction.commit();
}

Done Store::make_view() {
  std::string columns, joins;
  for (std::size_t a = 0; a < axes_.size(); ++a) {
    columns += fmt::format("a{}.value AS {}, ", a, sql_quoted(axes_[a], '"'));
    joins += fmt::format(" JOIN places a{0} ON a{0}.key = p.key AND a{0}.path = {1}", a,
                         sql_quoted(axes_[a], '\''));
  }
  return execute(database_, file_,
                 "BEGIN IMMEDIATE; DROP VIEW IF EXISTS grid; CREATE VIEW grid AS SELECT " + columns +
                     "p.failed" + metric_columns() + ", p.key FROM points p" + joins + "; COMMIT");
}

Result<bool> Store::has(const std::string& key) {
  const std::lock_guard lock(guard_);
  Statement s(database_, "SELECT 1 FROM points WHERE key = ?");
  const bool found = s.bind(key).step();
  if (const Done done = in_file(file_, s.error()); !done) return failure(done.error());
  return found;
}

Done Store::place(const SweepPoint& point, const std::string& key) {
  const std::lock_guard lock(guard_);
  return place_unlocked(point, key);
}

Done Store::place_unlocked(const SweepPoint& point, const std::string& key) {
  for (std::size_t a = 0; a < axes_.size(); ++a) {
    Statement s(database_, "INSERT OR IGNORE INTO places VALUES(?, ?, ?)");
    s.bind(key).bind(axes_[a]).bind(point.values[a]).step();
    if (const Done done = in_file(file_, s.error()); !done) return done;
  }
  return std::monostate{};
}

Done Store::keep(const PointResult& result) {
  const std::string json = result.result ? point_json(*result.result) : "null";
  const std::lock_guard lock(guard_);
  return keep_unlocked(result, json);
}

Done Store::keep_unlocked(const PointResult& result, const std::string& json) {
  Transaction transaction(database_, file_);
  if (const Done begun = transaction.begin(); !begun) return begun;
  if (const Done placed = place_unlocked(result.point, result.key); !placed) return placed;
  std::string sql = "INSERT OR IGNORE INTO points VALUES(?, ?, ?, ?, ?, ?, ?, ?";
  for (std::size_t m = 0; m < point_metrics().size(); ++m) sql += ", ?";
  {
    Statement s(database_, sql + ")");
    const Case& c = result.point.run.edited;
    const Calibration& calibration = *result.point.calibration;
    s.bind(result.key).bind(c.model().name).bind(c.cluster.device.name);
    s.bind(std::string{name(calibration.level)}).bind(calibration.source).bind(program_).bind(result.failed);
    for (const PointMetric& m : point_metrics())
      s.bind(result.result ? m.of(*result.result) : std::optional<double>{});
    s.bind(json).step();
    if (const Done done = in_file(file_, s.error()); !done) return done;
  }
  return transaction.commit();
}

Result<std::vector<StoredPoint>> Store::read(const std::vector<std::string>& keys) {
  const std::lock_guard lock(guard_);
  std::vector<StoredPoint> points;
  Statement s(database_, "SELECT p.failed" + metric_columns() + " FROM points p WHERE p.key = ?");
  for (const std::string& key : keys) {
    s.reset();
    if (!s.bind(key).step())
      return failure(file_.string() + ": point " + key + " is not there" +
                     (s.error().empty() ? "" : ": " + s.error()));
    StoredPoint point{.key = key, .failed = s.text(0)};
    for (std::size_t m = 0; m < point_metrics().size(); ++m)
      point.metrics.push_back(s.number(static_cast<int>(m) + 1));
    points.push_back(std::move(point));
  }
  return points;
}

}  // namespace inferometer
