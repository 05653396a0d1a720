#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

namespace {

namespace fs = std::filesystem;
const fs::path source{INFEROMETER_SOURCE};

struct Library {
  std::string folder;
  std::set<std::string> reachable;  ///< folders whose headers it may include
};

/// arrows.txt, written at configure time from each library's DEPENDS: "folder name depends...".
std::map<std::string, Library> libraries() {
  std::map<std::string, std::string> folder_of;
  std::map<std::string, std::vector<std::string>> depends;
  std::ifstream in(fs::path{INFEROMETER_BUILD} / "arrows.txt");
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string folder, name;
    words >> folder >> name;
    folder_of[name] = folder;
    for (std::string d; words >> d;) depends[name].push_back(d);
  }
  std::map<std::string, Library> result;
  for (const auto& [name, folder] : folder_of) {
    std::vector<std::string> open{name};
    std::set<std::string> seen;
    while (!open.empty()) {
      const std::string next = open.back();
      open.pop_back();
      if (!seen.insert(next).second) continue;
      for (const std::string& d : depends[next]) open.push_back(d);
    }
    Library library{folder, {}};
    for (const std::string& n : seen) library.reachable.insert(folder_of.at(n));
    result[folder] = library;
  }
  return result;
}

std::vector<fs::path> sources_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(source / folder)) {
    const std::string extension = entry.path().extension();
    if (extension == ".cpp" || extension == ".hpp" || extension == ".cu" || extension == ".cuh")
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// The library that owns a path such as "executor/cpu/onednn.hpp": the longest folder that is a library's.
std::string owner(const std::map<std::string, Library>& all, const std::string& path) {
  std::string best;
  for (const auto& [folder, library] : all) {
    if (path.starts_with(folder + "/") && folder.size() > best.size()) best = folder;
  }
  return best;
}

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Arrows, EveryIncludeFollowsTheDependsLists) {
  const auto all = libraries();
  ASSERT_GE(all.size(), 5U);
  const std::regex include("#include \"([^\"]+)\"");
  std::size_t checked = 0;
  for (const auto& [folder, library] : all) {
    for (const fs::path& file : sources_in(folder)) {
      const std::string relative = fs::relative(file, source).string();
      if (owner(all, relative) != folder) continue;  // a library nested in this folder owns it
      const std::string text = text_of(file);
      for (std::sregex_iterator i(text.begin(), text.end(), include), end; i != end; ++i) {
        const std::string target = owner(all, (*i)[1]);
        EXPECT_FALSE(target.empty()) << relative << " includes " << (*i)[1] << ", which no library owns";
        EXPECT_TRUE(library.reachable.contains(target))
            << relative << " includes " << (*i)[1] << " against the arrows";
        ++checked;
      }
    }
  }
  EXPECT_GT(checked, 100U);
}

TEST(Arrows, YamlIsSeenOnlyByScenariosAndCudaOnlyByExecutorAndProfiler) {
  for (const auto& [folder, library] : libraries()) {
    for (const fs::path& file : sources_in(folder)) {
      const std::string relative = fs::relative(file, source).string(), text = text_of(file);
      if (!relative.starts_with("scenarios/")) {
        EXPECT_EQ(text.find("#include <yaml-cpp"), std::string::npos) << relative;
      }
      if (!relative.starts_with("executor/cuda/") && !relative.starts_with("profiler/")) {
        EXPECT_EQ(text.find("#include <cuda"), std::string::npos) << relative;
      }
      if (!relative.starts_with("cli/")) {
        EXPECT_EQ(text.find("std::cout"), std::string::npos) << relative << ": only the command line prints";
      }
    }
  }
}

TEST(Sources, NoFileIsLongerThan500Lines) {
  for (const char* folder :
       {"model", "roofline", "simulator", "executor", "scenarios", "reports", "cli", "tests"}) {
    for (const fs::path& file : sources_in(folder)) {
      const std::string text = text_of(file);
      EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 500) << file;
    }
  }
}

}  // namespace
