#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <regex>
#include <thread>

#include "tests/cli/program.hpp"

namespace inferometer {
namespace {

namespace fs = std::filesystem;

const std::string swept =
    "name: swept\n"
    "model: llama-3.2-1b\n"
    "device: h200-sxm\n"
    "traffic:\n"
    "  requests: 3000\n"
    "  prompt_tokens: {mean: 300, cv: 1}\n"
    "  output_tokens: {mean: 200, cv: 1}\n"
    "  arrivals: {process: poisson, requests_per_second: 50}\n"
    "slo: {ttft: 100 ms, tpot: 5 ms}\n"
    "sweep:\n"
    "  serving.max_num_seqs: [8, 16, 24, 32, 48, 64, 96, 128]\n"
    "  serving.load: [0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2]\n";
constexpr std::size_t points = 64;

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// "64 points: 60 run, 4 read from ..."
struct Counts {
  std::size_t all = 0, run = 0, read = 0;
};
Counts counts_in(const std::string& printed) {
  std::smatch found;
  const std::regex line("([0-9]+) points: ([0-9]+) run, ([0-9]+) read");
  if (!std::regex_search(printed, found, line)) return {};
  return {std::stoul(found[1]), std::stoul(found[2]), std::stoul(found[3])};
}

/// Starts a run and kills it once its log of writes is larger than it was by so many bytes.
void run_and_kill(const std::string& scenario, const fs::path& out, std::uintmax_t written) {
  const fs::path log = out / "results.sqlite-wal";
  std::error_code ignored;
  const auto size = [&] {
    const std::uintmax_t bytes = fs::file_size(log, ignored);
    return ignored ? 0 : bytes;
  };
  fs::remove(log, ignored);
  const pid_t child = fork();
  if (child == 0) {
    if (freopen("/dev/null", "w", stdout) == nullptr) _exit(126);
    execl(INFEROMETER_BINARY, INFEROMETER_BINARY, "run", scenario.c_str(), "--out", out.c_str(), nullptr);
    _exit(127);
  }
  int status = 0;
  while (size() < written && waitpid(child, &status, WNOHANG) == 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
}

TEST(Sweep, ThatIsKilledGoesOnWhereItWas) {
  const Folder folder;
  const std::string scenario = folder.write("swept.yaml", swept);
  const fs::path killed = folder.path() / "killed", whole = folder.path() / "whole";
  const Ran undisturbed = run_program("run " + scenario + " --out " + whole.string());
  if (undisturbed.printed.find("SQLite (libsqlite3-dev), which was not found when this was built") !=
      std::string::npos)
    GTEST_SKIP() << undisturbed.printed;
  ASSERT_EQ(undisturbed.code, 0) << undisturbed.printed;
  EXPECT_EQ(counts_in(undisturbed.printed).run, points) << undisturbed.printed;

  Counts counts;
  for (int attempt = 0; attempt < 3 && counts.run == 0;
       ++attempt) {  // on a busy machine the kill may be late
    fs::remove_all(killed);
    run_and_kill(scenario, killed, 150'000);
    const Ran resumed = run_program("run " + scenario + " --out " + killed.string());
    ASSERT_EQ(resumed.code, 0) << resumed.printed;
    counts = counts_in(resumed.printed);
  }
  EXPECT_EQ(counts.all, points);
  EXPECT_EQ(counts.run + counts.read, points);
  EXPECT_GT(counts.read, 0U) << "killed before anything was kept";
  EXPECT_GT(counts.run, 0U) << "killed when all was done";
  EXPECT_EQ(text_of(killed / "points.csv"), text_of(whole / "points.csv"));

  const Ran again = run_program("run " + scenario + " --json --out " + killed.string());
  EXPECT_EQ(again.code, 0);
  EXPECT_NE(again.printed.find("\"points_run\": 0"), std::string::npos);
}

TEST(Sweep, CannotBeProfiled) {
  const Folder folder;
  const Ran ran = run_program("profile " + folder.write("swept.yaml", swept));
  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.printed.find("swept.yaml:11:3: error: profile is of runs that are executed"),
            std::string::npos)
      << ran.printed;
}

TEST(Capacity, IsPrintedWithItsInterval) {
  const Folder folder;
  std::string text = swept.substr(0, swept.find("sweep:"));
  text.replace(text.find("3000"), 4, "200");
  const std::string scenario = folder.write("served.yaml", text);
  const Ran table = run_program("capacity " + scenario + " --seeds 2 --tolerance 5");
  EXPECT_EQ(table.code, 0) << table.printed;
  EXPECT_NE(table.printed.find("requests/s"), std::string::npos) << table.printed;
  const Ran json = run_program("capacity " + scenario + " --seeds 2 --tolerance 5 --json");
  EXPECT_NE(json.printed.find("half_width_95"), std::string::npos) << json.printed;
  EXPECT_EQ(run_program("capacity " + folder.write("none.yaml", "name: x\n")).code, 2);
}

}  // namespace
}  // namespace inferometer
