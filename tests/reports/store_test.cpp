#ifdef INFEROMETER_HAS_SQLITE
#include "reports/store.hpp"

#include <sqlite3.h>

#include <fstream>

#include "model/document.hpp"
#include "reports/sqlite.hpp"
#include "reports/sweep_report.hpp"
#include "tests/scenarios/files_for_tests.hpp"

namespace inferometer {
namespace {

const std::string swept =
    right_scenario + "sweep: {workload.batch: [1, 2, 4], precision.weights: [bf16, f32]}\n";
const Progress silent = [](const std::string&, double) {};

class StoreOfPoints : public InFolder {
 protected:
  std::filesystem::path file() const { return folder_ / "report" / "results.sqlite"; }
  Result<SweepStudy> run(const std::string& text, std::size_t threads = 2) const {
    const Result<Scenario> s = load_scenario(write("s.yaml", text), library_);
    EXPECT_TRUE(s) << told(s.error());
    const auto store = Store::open(file(), axes_of(*s), "p");
    if (!store) return failure(store.error());
    const Result<SweepRun> ran = run_sweep(*s, "p", **store, threads, silent);
    if (!ran) return failure(ran.error());
    SweepStudy study{.scenario = *s, .ran = ran->ran, .store = "results.sqlite"};
    study.points = *(*store)->read(ran->keys);
    return study;
  }
  std::string asked(const std::string& sql) const {
    sqlite3* database = nullptr;
    EXPECT_EQ(sqlite3_open(file().c_str(), &database), SQLITE_OK);
    std::string text;
    {
      Statement s(database, sql);
      while (s.step()) text += s.text(0) + "\n";
      EXPECT_EQ(s.error(), "");
    }
    sqlite3_close(database);
    return text;
  }
  void refuses(const std::string& expected) const {
    const auto store = Store::open(file(), {}, "p");
    ASSERT_FALSE(store);
    EXPECT_NE(told(store.error()).find("report/results.sqlite: "), std::string::npos) << told(store.error());
    EXPECT_NE(told(store.error()).find(expected), std::string::npos) << told(store.error());
  }
};

TEST_F(StoreOfPoints, GivesBackWhatWasKeptAndRunsItNoSecondTime) {
  const SweepStudy first = *run(swept), second = *run(swept);
  EXPECT_EQ(first.ran, 6U);
  EXPECT_EQ(second.ran, 0U);
  EXPECT_EQ(sweep_csv(first), sweep_csv(second));
  EXPECT_EQ(run(right_scenario + "sweep: {workload.batch: [1, 8]}\n")->ran, 1U);
  EXPECT_EQ(asked("SELECT count(*) FROM points"), "7\n");
}

TEST_F(StoreOfPoints, HoldsTheSameForAnyNumberOfThreads) {
  const auto dump = [&] {
    return asked("SELECT key || failed || output_tokens_per_s || result_json FROM points ORDER BY key") +
           asked("SELECT key || path || value FROM places ORDER BY 1");
  };
  run(swept, 1).value();
  const std::string one = dump();
  std::filesystem::remove_all(folder_ / "report");
  run(swept, 4).value();
  EXPECT_EQ(one, dump());
}

TEST_F(StoreOfPoints, ShowsTheGridWithAColumnForEachAxis) {
  run(swept).value();
  EXPECT_EQ(asked("SELECT \"workload.batch\" || ' ' || \"precision.weights\" FROM grid WHERE total_ms > 0 "
                  "ORDER BY 1"),
            "1 bf16\n1 f32\n2 bf16\n2 f32\n4 bf16\n4 f32\n");
}

TEST_F(StoreOfPoints, OfADamagedForeignOrNewerFileIsRefused) {
  run(swept).value();
  asked("PRAGMA wal_checkpoint(TRUNCATE)");
  const std::string whole = *read_file(file());
  asked("PRAGMA user_version = 2");
  refuses("was written by a newer inferometer (schema 2; this one knows 1)");
  std::string damaged = whole;
  for (std::size_t i = 4096; i < damaged.size(); i += 7) damaged[i] = static_cast<char>(damaged[i] ^ 0x5a);
  write("report/results.sqlite", damaged);
  refuses("damaged");
  write("report/results.sqlite",
        "This is a text of a file that is no database at all, and says so.\n" + whole);
  refuses("not a database");
  std::filesystem::remove(file());
  asked("CREATE TABLE mine(x)");
  refuses("no store of inferometer");
}

TEST_F(StoreOfPoints, ATableMarksTheBestAndSaysWhyAPointFailed) {
  const SweepStudy study = *run(right_scenario + "sweep: {architecture.vocab: [1000, 99999999, 2000]}\n");
  const std::string table = sweep_table(study);
  EXPECT_NE(table.find("best throughput"), std::string::npos) << table;
  EXPECT_NE(table.find("does not fit"), std::string::npos) << table;
  EXPECT_NE(table.find("3 points: 3 run, 0 read"), std::string::npos) << table;
  EXPECT_NE(sweep_html(study).find("<svg"), std::string::npos);
  EXPECT_TRUE(parse_json(sweep_json(study), "results.json"));
  EXPECT_EQ(sweep_csv(study).find("architecture.vocab,prefill_ms"), 0U) << sweep_csv(study);
}

}  // namespace
}  // namespace inferometer
#endif
