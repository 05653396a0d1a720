#include "scenarios/profile_files.hpp"

#include "tests/scenarios/files_for_tests.hpp"

namespace inferometer {
namespace {

class ProfileFiles : public InFolder {
 protected:
  /// LLMServingSim's own layout.
  void write_tables() const {
    write("tp1/dense.csv", "layer,tokens,time_us\nqkv_proj,1,50\nembedding,1,3\n");
    write("tp1/per_sequence.csv", "layer,sequences,time_us\nlm_head,1,1000\n");
    write("tp1/attention.csv",
          "prefill_chunk,kv_prefill,n_decode,kv_decode,time_us\n0,0,1,16,9\n16,0,1,16,10\n");
    write("tp1/skew.csv", "regime,n,alpha,t_mean_us,t_max_us,t_skew_us\npure,2,0.5,10,20,15\n");
    write("tp1/moe.csv", "tokens,activated_experts,time_us\n1,8,70\n");
  }
};

TEST_F(ProfileFiles, HaveTheTablesOfLlmservingsim) {
  write_tables();
  write("meta.yaml", "gpu: some\nskew_fit:\n  enabled: false\n  method: none\n");
  const auto tables = read_llmservingsim_profile(folder_ / "tp1", 1);
  ASSERT_TRUE(tables) << to_string(tables.error());
  ASSERT_EQ(tables->dense.size(), 2U);
  EXPECT_EQ(tables->dense[0].name, "qkv_proj");
  EXPECT_NEAR(tables->dense[0].time.count(), 50e-6, 1e-12);
  EXPECT_EQ(tables->per_sequence.size(), 1U);
  EXPECT_EQ(tables->attention[1].prefill_chunk, 16);
  EXPECT_EQ(tables->skew[0].decodes, 2);
  EXPECT_EQ(tables->experts[0].activated, 8);
  EXPECT_FALSE(tables->skew_applies);
}

TEST_F(ProfileFiles, MayBePrefixedAndLackWhatIsOptional) {
  write("profile_tp2_dense.csv", "layer,tokens,latency_us\nqkv_proj,1,50\n");
  write("profile_tp2_per_sequence.csv", "layer,sequences,latency_us\nsampler,1,5\n");
  write("profile_tp2_attention.csv", "prefill_chunk,kv_prefill,n_decode,kv_decode,latency_us\n0,0,1,16,9\n");
  const auto tables = read_llmservingsim_profile(folder_, 2);
  ASSERT_TRUE(tables) << to_string(tables.error());
  EXPECT_TRUE(tables->skew.empty());
  EXPECT_TRUE(tables->skew_applies);
  EXPECT_TRUE(tables->experts.empty());
}

TEST_F(ProfileFiles, TellAllTheirMistakesAtTheirPlaces) {
  write("dense.csv", "layer,tokens,time_us\nqkv_projection,1,50\nact_fn,none,2\n");
  write("per_sequence.csv", "layer,rows,time_us\nsampler,1,5\n");
  write("attention.csv", "prefill_chunk,kv_prefill,n_decode,kv_decode,time_us\n0,0,1,16\n0,-1,1,16,9\n");
  write("skew.csv", "regime,n,t_mean_us,t_max_us,t_skew_us\npurer,2,10,20,15\n");
  write("meta.yaml", "skew_fit:\n  enabled: perhaps\n");
  const auto tables = read_llmservingsim_profile(folder_, 1);
  ASSERT_FALSE(tables);
  const std::string all = told(tables.error());
  for (const char* part :
       {"dense.csv:2:1: error: layer: \"qkv_projection\" is not one of embedding, ",
        "dense.csv:3:8: error: tokens: \"none\" is not a number",
        "per_sequence.csv:1:1: error: no column sequences",
        "attention.csv:2:1: error: 4 fields where the header names 5",
        "attention.csv:3:3: error: kv_prefill: must not be negative, is -1",
        "skew.csv:2:1: error: regime: \"purer\" is neither pure nor mixed", "meta.yaml:2:12: error: "})
    EXPECT_NE(all.find(part), std::string::npos) << part << " is not in\n" << all;
}

TEST_F(ProfileFiles, ThatAreNotThereAreNamed) {
  const auto tables = read_llmservingsim_profile(folder_, 1);
  ASSERT_FALSE(tables);
  EXPECT_EQ(tables.error().size(), 3U) << to_string(tables.error());
}

TEST_F(ProfileFiles, HaveTheTablesOfVidur) {
  const auto mlp = write("mlp.csv",
                         "time_stats.emb.median,time_stats.mlp_up_proj.median,num_tokens,"
                         "num_tensor_parallel_workers\n0.003,0.4,8,1\n,0.2,8,2\n");
  const auto attention = write(
      "attention.csv",
      "time_stats.attn_prefill.median,time_stats.attn_decode.median,time_stats.attn_kv_cache_save.median,"
      "batch_size,prefill_chunk_size,kv_cache_size,is_prefill,num_tensor_parallel_workers\n"
      "0.1,,0.01,1,64,32,True,1\n,0.2,0.01,4,0,128,False,1\n0.9,,,1,64,32,True,2\n");
  const auto tables = read_vidur_profile(mlp, attention, 1);
  ASSERT_TRUE(tables) << to_string(tables.error());
  ASSERT_EQ(tables->dense.size(), 2U);
  EXPECT_NEAR(tables->dense[1].time.count(), 0.4e-3, 1e-12);
  ASSERT_EQ(tables->attention.size(), 2U);
  EXPECT_EQ(tables->attention[0].prefill_chunk, 64);
  EXPECT_EQ(tables->attention[0].kv_prefill, 32);
  EXPECT_NEAR(tables->attention[0].time.count(), 0.11e-3, 1e-12);
  EXPECT_EQ(tables->attention[1].decodes, 4);
  EXPECT_EQ(tables->attention[1].kv_decode, 128);
  const auto none = read_vidur_profile(mlp, attention, 8);
  ASSERT_FALSE(none);
  EXPECT_EQ(told(none.error()),
            "attention.csv:1:1: error: no row with num_tensor_parallel_workers 8\n"
            "mlp.csv:1:1: error: no row with num_tensor_parallel_workers 8\n");
}

}  // namespace
}  // namespace inferometer
