#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <regex>

#include "tests/cli/program.hpp"

namespace inferometer {
namespace {

/// 60 products of times that a rough roofline makes.
std::string some_products() {
  std::string text = "dtype,m,n,k,latency_us\n";
  for (const int n : {512, 1024, 4096, 6144, 12288}) {
    for (const int k : {1024, 4096, 14336}) {
      for (const int m : {1, 64, 512, 4096}) {
        const double us = 3 + 2.0 * n * k / 4e6 + 2.0 * m * n * k / 7e8;
        text += "bf16," + std::to_string(m) + "," + std::to_string(n) + "," + std::to_string(k) + "," +
                std::to_string(us) + "\n";
      }
    }
  }
  return text;
}

TEST(ValidateKernels, PrintsErrorsByRegimeAndHoldsThemToLimits) {
  const Folder folder;
  const std::string file = folder.write("products.csv", some_products());
  const std::string command = "validate kernels " + file + " --device h200-sxm --fit-on 40% ";
  const Ran table = run_program(command);
  EXPECT_EQ(table.code, 0) << table.printed;
  EXPECT_NE(table.printed.find("gemm"), std::string::npos);
  EXPECT_NE(table.printed.find("memory_efficiency"), std::string::npos);
  const Ran json = run_program(command + "--json");
  EXPECT_NE(json.printed.find("\"regime\": \"all\""), std::string::npos) << json.printed;
  EXPECT_EQ(json.printed, run_program(command + "--json").printed);
  const auto limits = [&](const std::string& mape) {
    return folder.write(
        "limits.yaml",
        "limits:\n  - {device: h200-sxm, operator: gemm, dtype: bf16, level: residual_corrected, "
        "mape: " +
            mape + "}\n");
  };
  EXPECT_EQ(run_program(command + "--require " + limits("100")).code, 0);
  const Ran missed = run_program(command + "--require " + limits("0.001"));
  EXPECT_EQ(missed.code, 1);
  EXPECT_NE(missed.printed.find("limits.yaml:2:5: error: gemm bf16, residual_corrected: mean absolute error"),
            std::string::npos)
      << missed.printed;
}

TEST(ValidateKernels, FitsNothingAtTheLevelOfADataSheet) {
  const Folder folder;
  const std::string file = folder.write("products.csv", some_products());
  const Ran run = run_program("validate kernels " + file + " --device a100-sxm --level datasheet --json");
  EXPECT_EQ(run.code, 0);
  EXPECT_NE(run.printed.find("\"calls\": 0"), std::string::npos) << run.printed;
  EXPECT_NE(run.printed.find("\"coverage\": null"), std::string::npos);
}

TEST(ValidateKernels, SaysWhatIsWrongWithItsArguments) {
  const Folder folder;
  const std::string file = folder.write("products.csv", some_products());
  for (const char* wrong :
       {"--level exact", "--fit-on 0%", "--fit-on much", "--split column", "--require none.yaml"}) {
    const Ran run = run_program("validate kernels " + file + " --device h200-sxm " + wrong);
    EXPECT_EQ(run.code, 2) << wrong << run.printed;
  }
  EXPECT_EQ(run_program("validate kernels " + file + " --device h2000").code, 2);
  EXPECT_EQ(run_program("validate kernels nowhere.csv --device h200-sxm").code, 2);
  const std::string limits =
      folder.write("limits.yaml", "limits:\n  - {device: h200-sxm, mape: -1, levl: x}\n");
  const Ran run = run_program("validate kernels " + file + " --device h200-sxm --require " + limits);
  EXPECT_EQ(run.code, 2);
  EXPECT_NE(run.printed.find("limits.yaml:2:"), std::string::npos) << run.printed;
}

TEST(CalibrateFrom, WritesWhatValidationJudgesBy) {
  const Folder folder;
  const std::string file = folder.write("products.csv", some_products());
  const std::string out = (folder.path() / "c.yaml").string();
  const Ran made = run_program("calibrate --from " + file + " --device h200-sxm --out " + out);
  ASSERT_EQ(made.code, 0) << made.printed;
  const std::string command = "validate kernels " + file + " --calibration " + out;
  for (const std::string level : {"datasheet", "calibrated", "residual-corrected"}) {
    const Ran judged = run_program(command + " --device h200-sxm --level " + level);
    EXPECT_EQ(judged.code, 0) << judged.printed;
    EXPECT_NE(judged.printed.find("by " + out), std::string::npos);
    EXPECT_NE(judged.printed.find(" all                60 "), std::string::npos) << judged.printed;
  }
  EXPECT_EQ(run_program(command + " --device a100-sxm").code, 2);
  EXPECT_EQ(run_program(command + " --device h200-sxm --seed 2").code, 2);
  const std::string other = folder.write("fp8.csv", "dtype,m,n,k,latency_us\nfp8,1,1,1,1\n");
  const Ran unknown = run_program("validate kernels " + other + " --device h200-sxm --calibration " + out);
  EXPECT_EQ(unknown.code, 2);
  EXPECT_NE(unknown.printed.find("nothing was fitted for gemm fp8"), std::string::npos) << unknown.printed;
}

TEST(CalibrateFrom, SaysWhatIsWrongWithItsArguments) {
  const Folder folder;
  const std::string file = folder.write("products.csv", some_products());
  EXPECT_EQ(run_program("calibrate --from " + file).code, 2);
  EXPECT_EQ(run_program("calibrate --from " + file + " --device h200-sxm --backend cpu").code, 2);
  const std::string few = folder.write("few.csv", "dtype,m,n,k,latency_us\nbf16,8,512,512,5\n");
  const Ran run = run_program("calibrate --from " + few + " --device h200-sxm --out " +
                              (folder.path() / "few.yaml").string());
  EXPECT_EQ(run.code, 0);
  EXPECT_NE(run.printed.find("warning: gemm bf16: 1 rows do not determine 14 parameters"), std::string::npos)
      << run.printed;
  const std::string collectives = folder.write(
      "c.csv", "op,dtype,num_gpus,message_bytes,impl,latency_us\nall_reduce,bf16,2,1024,nccl-1,9\n");
  const Ran linkless = run_program("validate kernels " + collectives + " --device l40s");
  EXPECT_EQ(linkless.code, 2);
  EXPECT_NE(linkless.printed.find("c.csv:2:1: error: collectives cross links"), std::string::npos)
      << linkless.printed;
}

TEST(ValidateTransfer, PredictsADeviceByTheMeasurementsOfOthers) {
  const Folder folder;
  const std::string products = some_products();
  folder.write("h200_sxm/products.csv", products);
  folder.write("h200_sxm/states.csv", "state,latency_us\n1,2\n");
  folder.write("a100_sxm/products.csv", products);
  folder.write("b200_sxm/products.csv", products + "nvfp4,8,512,512,5\n");
  const std::string command = "validate transfer --on b200-sxm --data " + folder.path().string() + " --fit ";
  const Ran both = run_program(command + "h200-sxm,a100-sxm");
  EXPECT_EQ(both.code, 0) << both.printed;
  EXPECT_NE(both.printed.find("b200-sxm, level calibrated, fitted to h200-sxm and a100-sxm"),
            std::string::npos)
      << both.printed;
  EXPECT_NE(both.printed.find("gemm bf16: fitted to 120 calls"), std::string::npos) << both.printed;
  EXPECT_NE(both.printed.find("nvfp4                 not predicted"), std::string::npos) << both.printed;
  EXPECT_NE(both.printed.find("states.csv: no kernel has its columns"), std::string::npos) << both.printed;
  const Ran one = run_program(command + "h200-sxm --level residual-corrected --json");
  EXPECT_EQ(one.code, 0) << one.printed;
  EXPECT_NE(one.printed.find("\"coverage\": null"), std::string::npos) << one.printed;
  EXPECT_EQ(one.printed, run_program(command + "h200-sxm --level residual-corrected --json").printed);
}

TEST(ValidateTransfer, PredictsTheSameWhateverThePredictedDeviceTook) {
  const Folder folder;
  folder.write("h200_sxm/products.csv", some_products());
  const auto values = [&](const std::string& latency) {
    folder.write("b200_sxm/products.csv", "dtype,m,n,k,latency_us\nbf16,64,4096,4096," + latency + "\n");
    const std::string printed =
        run_program("validate transfer --fit h200-sxm --on b200-sxm --json --data " + folder.path().string())
            .printed;
    // What rounding hides of the errors is told beside what was fitted, and depends on what was measured.
    return std::regex_replace(printed.substr(printed.find("\"fitted\": [")),
                              std::regex("\"mape_of_others\": [^,\\n]*"), "");
  };
  EXPECT_EQ(values("1"), values("1000"));
}

TEST(ValidateTransfer, SaysWhatIsWrongWithItsArguments) {
  const Folder folder;
  folder.write("h200_sxm/products.csv", some_products());
  folder.write("b200_sxm/products.csv", "dtype,m,n,k,latency_us\nbf16,1,2,3,much\n");
  const auto says = [&](const std::string& arguments, const std::string& what) {
    const Ran run = run_program("validate transfer --data " + folder.path().string() + " " + arguments);
    EXPECT_EQ(run.code, 2) << arguments;
    EXPECT_NE(run.printed.find(what), std::string::npos) << run.printed;
  };
  says("--fit h200-sxm --on h200-sxm", "this is the device to predict");
  says("--fit h200-sxm --on a100-sxm", "a100_sxm: error: no measured kernels");
  says("--fit h200-sxm --on b200-sxm", "products.csv:2:12: error");
  says("--fit h200-sxm --on h2000", "h2000");
  says("--fit h200-sxm --on h200-sxm --level datasheet", "--level datasheet: expected");
  folder.write("b200_sxm/products.csv", some_products());
  says("--fit h200-sxm,h200-sxm --on b200-sxm", "--fit h200-sxm: given twice");
  const char* data = std::getenv("INFEROMETER_DATA");
  if (data != nullptr) return;
  EXPECT_NE(
      run_program("validate transfer --fit h200-sxm --on b200-sxm").printed.find("--data FOLDER is needed"),
      std::string::npos);
}

TEST(ValidateKernels, TellsHowMuchRoundingHidesAndWhatItCannotJudge) {
  const Folder folder;
  std::string text = "op,tp,m,n,k,latency_us,min_us,max_us\n";
  for (int m = 1; m <= 1 << 14; m *= 2)
    text +=
        "add,1," + std::to_string(m) + ",4096,0," + std::to_string(2 + m * 4096 * 6 / 1800000) + ",1,99\n";
  const std::string command =
      "validate kernels " + folder.write("parts.csv", text) + " --device a100-sxm --level calibrated ";
  const Ran table = run_program(command + "--split row");
  EXPECT_EQ(table.code, 0) << table.printed;
  EXPECT_NE(table.printed.find("may be 5 % off by that alone; the others: mean"), std::string::npos)
      << table.printed;
  const Ran json = run_program(command + "--split row --json");
  EXPECT_NE(json.printed.find("\"rounded\": 12"), std::string::npos) << json.printed;
  const std::string one =
      folder.write("one.csv", "op,tp,m,n,k,latency_us,min_us,max_us\nadd,1,8,4096,0,2,2,2\n");
  const Ran alone = run_program("validate kernels " + one + " --device a100-sxm");
  EXPECT_NE(alone.printed.find("nothing is left to judge"), std::string::npos) << alone.printed;
}

/// Published measurements, where they are on this machine, against the limits that ship.
class PublishedMeasurements : public testing::TestWithParam<std::tuple<const char*, const char*>> {};

TEST_P(PublishedMeasurements, ArePredictedWithinTheLimits) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "too slow with sanitizers";
#endif
  const char* data = std::getenv("INFEROMETER_DATA");
  if (data == nullptr) GTEST_SKIP() << "INFEROMETER_DATA is not set";
  const auto [device, level] = GetParam();
  std::string folder = device, files;
  folder.replace(folder.find('-'), 1, "_");
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path{data} / folder)) {
    const std::string name = entry.path().filename().string();
    for (const std::string kind : {"gemm__", "attention_", "moe__", "mla_", "collectives", "quantize__"}) {
      if (name.starts_with(kind)) files += " " + entry.path().string();
    }
  }
  const Ran run = run_program("validate kernels" + files + " --device " + device + " --level " + level +
                              " --require " INFEROMETER_SOURCE "/scenarios/limits/kernels.yaml");
  EXPECT_EQ(run.code, 0) << run.printed;
}

TEST(PublishedMeasurementsOfOthers, PredictADeviceWithinTheLimits) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "too slow with sanitizers";
#endif
  if (std::getenv("INFEROMETER_DATA") == nullptr) GTEST_SKIP() << "INFEROMETER_DATA is not set";
  const Ran run =
      run_program("validate transfer --fit h200-sxm,a100-sxm --on b200-sxm --require " INFEROMETER_SOURCE
                  "/scenarios/limits/transfer.yaml");
  EXPECT_EQ(run.code, 0) << run.printed;
}

/// Kinds of rows that the limits that ship do not name.
TEST(PublishedMeasurementsOf, LinearAttentionAndProfiledMessagesArePredictedToTenPercent) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "too slow with sanitizers";
#endif
  const char* data = std::getenv("INFEROMETER_DATA");
  if (data == nullptr) GTEST_SKIP() << "INFEROMETER_DATA is not set";
  const Folder folder;
  const std::string limits = folder.write(
      "limits.yaml",
      "limits:\n"
      "  - {device: h200-sxm, operator: linear_attention, dtype: all, level: residual_corrected, mape: 10, "
      "bias: 3, p90_over_mape: 2.8}\n"
      "  - {device: a100-sxm, operator: collectives, dtype: send_recv/eager, level: residual_corrected, "
      "mape: 10}\n");
  const std::string at = data;
  for (const std::string args : {"/h200_sxm/linear_attention__trtllm_1.3.0rc20.csv --device h200-sxm",
                                 "/vidur/a100_dgx__send_recv.csv --device a100-sxm"}) {
    const Ran run = run_program("validate kernels " + at + args + " --require " + limits);
    EXPECT_EQ(run.code, 0) << run.printed;
  }
}

std::string name_of(const testing::TestParamInfo<std::tuple<const char*, const char*>>& info) {
  std::string name = std::string{std::get<0>(info.param)} + "_" + std::get<1>(info.param);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Devices, PublishedMeasurements,
                         testing::Combine(testing::Values("h200-sxm", "b200-sxm", "a100-sxm"),
                                          testing::Values("calibrated", "residual-corrected")),
                         name_of);

}  // namespace
}  // namespace inferometer
