#include "tests/scenarios/files_for_tests.hpp"

namespace inferometer {
namespace {

const std::string served =
    "name: served\n"
    "model: tiny\n"
    "device: unit-gpu\n"
    "traffic: {requests: 5, prompt_tokens: {mean: 20}, output_tokens: {mean: 4},\n"
    "          arrivals: {process: poisson, requests_per_second: 100}}\n"
    "serving: {kv_blocks: 64, max_num_seqs: 8, kv_link: {latency: 10 us}}\n";

struct Pools : InFolder {
  void says(const std::string& pools, const std::string& expected) {
    const Result<Scenario> scenario = load_scenario(write("s.yaml", served + pools), library_);
    ASSERT_FALSE(scenario) << pools;
    EXPECT_NE(told(scenario.error()).find(expected), std::string::npos) << told(scenario.error());
  }
};

TEST_F(Pools, EachHasACaseOfItsOwn) {
  const Scenario s = loaded(served +
                            "pools:\n"
                            "  - {name: p, role: prefill, replicas: 3, set: {serving.max_num_seqs: 4}}\n"
                            "  - {name: d, role: decode, set: {launch.graphs: true}}\n");
  ASSERT_EQ(s.pools.size(), 2U);
  EXPECT_EQ(s.pools[0].role, PoolRole::prefill);
  EXPECT_EQ(s.pools[0].edited.serving.replicas, 3);
  EXPECT_EQ(s.pools[0].edited.serving.max_num_seqs, 4);
  EXPECT_EQ(to_ticks(s.pools[0].edited.serving.kv_link.latency), Nanoseconds{10'000});
  EXPECT_FALSE(s.pools[0].edited.plan.launch.graphs);
  EXPECT_EQ(s.pools[1].edited.serving.max_num_seqs, 8);
  EXPECT_TRUE(s.pools[1].edited.plan.launch.graphs);
  EXPECT_EQ(s.baseline.serving.max_num_seqs, 8);
}

TEST_F(Pools, AVariantEditsWhatTheyStartFromOrHasItsOwn) {
  const Scenario s =
      loaded(served +
             "pools:\n"
             "  - {name: a, set: {serving.max_num_seqs: 4}}\n"
             "  - {name: b}\n"
             "variants:\n"
             "  - {name: more, set: {serving.max_num_seqs: 16, serving.watermark_percent: 1}}\n"
             "  - {name: own, pools: [{name: c, replicas: 2}]}\n");
  ASSERT_EQ(s.variants[0].pools.size(), 2U);
  EXPECT_EQ(s.variants[0].pools[0].edited.serving.max_num_seqs, 4);
  EXPECT_EQ(s.variants[0].pools[0].edited.serving.watermark_percent, 1);
  EXPECT_EQ(s.variants[0].pools[1].edited.serving.max_num_seqs, 16);
  ASSERT_EQ(s.variants[1].pools.size(), 1U);
  EXPECT_EQ(s.variants[1].pools[0].edited.serving.replicas, 2);
  EXPECT_EQ(runs_of(s)[0].pools.size(), 2U);
}

TEST_F(Pools, ADeviceOfItsOwnComesWithItsCalibration) {
  std::string other =
      *read_file(std::filesystem::path{INFEROMETER_FIXTURES} / "library/devices/unit-gpu.yaml");
  other.replace(other.find("name: unit-gpu"), 14, "name: other");
  write("other.yaml", other);
  const Scenario s =
      loaded(served + "pools: [{name: a, device: unit-gpu}, {name: b, device: ./other.yaml}]\n");
  ASSERT_EQ(s.pools.size(), 2U);
  EXPECT_FALSE(s.pools[0].calibration);
  EXPECT_TRUE(s.pools[1].calibration);
  EXPECT_EQ(s.pools[1].edited.cluster.device.name, "other");
}

TEST_F(Pools, MistakesAreToldWhereTheyAre) {
  const std::string decode = ", {name: d, role: decode}]\n";
  says("pools: 3\n", "s.yaml:7:8: error: pools: a list of {name, role, replicas, device, set} is needed");
  says("pools: [{role: both}]\n", "s.yaml:7:9: error: pools[0]: missing key \"name\"");
  says("pools: [{name: a, role: prefil}]\n",
       "s.yaml:7:25: error: pools[0].role: \"prefil\" is not one of both, prefill, decode");
  says("pools: [{name: a, replica: 2}]\n", "s.yaml:7:19: error: pools[0]: unknown key \"replica\"");
  says("pools: [{name: a, replicas: 0}]\n", "s.yaml:7:29: error: pools[0].replicas: must be 1 to 100000");
  says("pools: [{name: a}, {name: a}]\n",
       "s.yaml:7:27: error: pools[1].name: \"a\" is the name of a pool before");
  says("pools: [{name: a, device: h900}]\n", "s.yaml:7:27: error: pools[0].device: unknown device \"h900\"");
  says("pools: [{name: a, role: prefill}]\n",
       "s.yaml:7:9: error: pool \"a\": role: prefill needs a pool of role decode that takes its caches");
  says("pools: [{name: a, role: decode}]\n", "role: decode needs a pool of role prefill");
  says("pools: [{name: a, set: {architecture.layers: 3}}]\n",
       "s.yaml:7:25: error: pools[0].set: unknown key \"architecture.layers\"");
  says("pools: [{name: a, set: {serving.replicas: 3}}]\n", "unknown key \"serving.replicas\"");
  says(
      "pools: [{name: p, role: prefill, set: {kv.block_tokens: 32}}" + decode,
      "s.yaml:7:63: error: pool \"d\": kv.block_tokens: 16 here, 32 in pool \"p\"; a cache is sent as it is");
  says("pools: [{name: p, role: prefill, set: {serving.allocation: predicted}}" + decode,
       "s.yaml:7:60: error: pool \"p\": serving.allocation: blocks are what is sent between pools");
  says("pools: [{name: p, role: prefill, set: {serving.max_num_batched_tokens: 4}}" + decode,
       "s.yaml:7:72: error: pool \"p\": serving.max_num_batched_tokens: 4 leaves no token");
  says("pools: [{name: p, role: prefill, set: {serving.kv_link.bandwidth: 50 GB}}" + decode,
       "\"50 GB\" is a size; a rate is needed");
  says("pools: [{name: p, role: prefill, set: {serving.kv_link.bandwidth: 5 B/s}}" + decode,
       "serving.kv_link.bandwidth: must be 1 MB/s to 1000000 TB/s, or 0 B/s");
  says("variants: [{name: v, pools: [{name: p, role: prefill}]}]\n",
       "s.yaml:7:30: error: variant \"v\": pool \"p\": role: prefill needs");
  says("devices: 2\npools: [{name: p, role: prefill, set: {parallel.pipeline: 2}}" + decode,
       "pool \"p\": parallel.pipeline: 2 does not go with role: prefill");
  says(
      "devices: 2\npools: [{name: p, role: prefill}, {name: d, role: decode, set: {parallel.pipeline: 2}}]\n",
      "pool \"d\": parallel.pipeline: 2 does not go with role: decode");
  says("pools: [{name: p, set: {serving.max_num_seqs: 4}}]\nsweep: {serving.max_num_seqs: [2, 4]}\n",
       "sweep.serving.max_num_seqs: pool \"p\" sets it too");
  says("pools: [{name: p}]\nsweep: {device: [unit-gpu]}\n",
       "s.yaml:8:9: error: sweep.device: pools: have their own; list pools: as variants");
  says("pools: [{name: p}]\nsweep: {serving.replicas: [1, 2]}\n",
       "sweep.serving.replicas: pools: have their own; list pools: as variants");
  says("pools: [{name: p}]\nvariants: [{name: v, set: {serving.replicas: 2}}]\n",
       "s.yaml:8:46: error: variant \"v\": serving.replicas: pools: have replicas of their own");
  says("pools: [{name: p, set: {serving.kv_link.latency: 1 us}}]\n",
       "unknown key \"serving.kv_link.latency\"");
  const Result<Scenario> unserved =
      load_scenario(write("s.yaml", right_scenario + "pools: [{name: a}]\n"), library_);
  ASSERT_FALSE(unserved);
  EXPECT_NE(told(unserved.error()).find("s.yaml:5:8: error: pools: serve traffic:; there is none"),
            std::string::npos)
      << told(unserved.error());
}

TEST_F(Pools, ReplicasOfAttentionHandCachesOver) {
  const std::string text = "name: served\nmodel: " + std::string{INFEROMETER_FIXTURES} +
                           "/logits/mixtral/config.json\n" + served.substr(served.find("device:")) +
                           "devices: 2\nplan: {parallel: {experts: true}}\n";
  const std::string data = "set: {parallel.data: 2}}";
  loaded(text + "pools: [{name: a, " + data + "]\n");
  loaded(text + "pools: [{name: p, role: prefill}, {name: d, role: decode, " + data + "]\n");
}

TEST_F(Pools, ACacheNeedsALinkToBeSentOver) {
  std::string device =
      *read_file(std::filesystem::path{INFEROMETER_FIXTURES} / "library/devices/unit-gpu.yaml");
  for (const char* key : {"link_bandwidth:", "link_latency:"}) {
    const std::size_t at = device.find(key);
    device.erase(at, device.find('\n', at) + 1 - at);
  }
  device.replace(device.find("name: unit-gpu"), 14, "name: alone");
  write("alone.yaml", device);
  const std::string pools = "pools: [{name: p, role: prefill}, {name: d, role: decode, device: ./alone.yaml";
  says(pools + "}]\n",
       "s.yaml:7:35: error: pool \"d\": serving.kv_link.bandwidth: alone has no link_bandwidth to send a "
       "cache "
       "over; say it here");
  loaded(served + pools + ", set: {serving.kv_link.bandwidth: 10 GB/s}}]\n");
}

}  // namespace
}  // namespace inferometer
