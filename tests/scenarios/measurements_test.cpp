#include "scenarios/measurements.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace inferometer {
namespace {

std::string errors_of(const std::string& text) {
  const auto rows = read_measurements(text, "rows.csv");
  return rows ? "" : to_string(rows.error());
}

TEST(Measurements, AreReadByTheNamesOfTheirColumns) {
  const auto rows =
      read_measurements("k,latency_us,m,n,dtype,spare\r\n64,2.5,1,32,fp8_block,x\r\n", "rows.csv");
  ASSERT_TRUE(rows) << to_string(rows.error());
  ASSERT_EQ(rows->size(), 1U);
  const Gemm& g = std::get<Gemm>(rows->front().call);
  EXPECT_EQ(g.format, Format::fp8_block);
  EXPECT_EQ(g.m, 1);
  EXPECT_EQ(g.n, 32);
  EXPECT_EQ(g.k, 64);
  EXPECT_EQ(rows->front().microseconds, 2.5);
  EXPECT_EQ(rows->front().line, 2);
}

/// One file of each kind, and the operator that it times.
const std::vector<std::pair<std::string, std::string>>& one_of_each() {
  static const std::vector<std::pair<std::string, std::string>> all{
      {"gemm", "dtype,m,n,k,latency_us\nbf16,16,4096,4096,9\n"},
      {"quantize", "op,dtype,m,k,latency_us\nstatic_quantize,fp8,16,4096,3\n"},
      {"moe",
       "dtype,num_tokens,hidden,inter,topk,num_experts,tp,ep,routing,gated,latency_us,kernel\n"
       "fp8,64,4096,1536,8,128,1,4,power_law_1.2,1,90,cutlass\n"},
      {"attention_context",
       "phase,attn_dtype,kv_dtype,batch,q_len,kv_len,num_q_heads,num_kv_heads,head_dim,window,latency_us\n"
       "context,bf16,bf16,2,1024,4096,32,8,128,0,300\n"},
      {"attention_generation",
       "phase,attn_dtype,kv_dtype,batch,q_len,kv_len,num_q_heads,num_kv_heads,head_dim,window,latency_us\n"
       "generation,bf16,fp8,8,1,4096,32,8,128,1024,20\n"},
      {"mla_kernel",
       "phase,kv_dtype,batch,q_len,kv_len,num_heads,latency_us\ngeneration,bf16,8,1,4096,128,60\n"},
      {"mla_module",
       "phase,gemm_dtype,kv_dtype,batch,q_len,kv_len,num_heads,latency_us\ngeneration,fp8_block,fp8,8,1,4096,"
       "16,90\n"},
      {"mla_bmm", "op,dtype,num_tokens,num_heads,latency_us\nmla_gen_pre,fp8,64,128,8\n"},
      {"linear_attention",
       "kernel,batch,seq_len,d_conv,num_k_heads,head_k_dim,num_v_heads,head_v_dim,d_state,nheads,head_dim,"
       "n_groups,latency_us\nchunk_gated_delta_rule,4,1024,4,16,128,32,128,,,,,240\n"},
      {"linear_attention",
       "kernel,batch,seq_len,d_conv,num_k_heads,head_k_dim,num_v_heads,head_v_dim,d_state,nheads,head_dim,"
       "n_groups,latency_us\ncausal_conv1d_fn,4,1024,4,,,,,128,64,64,8,50\n"},
      {"linear_attention",
       "kernel,batch,seq_len,d_conv,num_k_heads,head_k_dim,num_v_heads,head_v_dim,d_state,nheads,head_dim,"
       "n_groups,latency_us\nfused_recurrent_gated_delta_rule,64,1,4,16,128,32,128,,,,,55\n"},
      {"gemm", "op,tp,m,n,k,latency_us,min_us,max_us\nattn_pre_proj,1,16,12288,4096,60,59,64\n"},
      {"collectives",
       "op,num_gpus,gpus_per_node,message_bytes,latency_us,min_us,max_us\nsend_recv,2,1,1048576,230,220,"
       "260\n"},
      {"elementwise", "op,tp,m,n,k,latency_us,min_us,max_us\nmlp_act,1,512,11008,0,30,29,40\n"},
      {"collectives",
       "op,dtype,num_gpus,message_bytes,latency_us,impl\nall_reduce,bf16,8,1048576,30,nccl-tests-2.28\n"}};
  return all;
}

TEST(Measurements, OfEachKindAreToldByTheirColumns) {
  for (const auto& [op, text] : one_of_each()) {
    const auto rows = read_measurements(text, "rows.csv");
    ASSERT_TRUE(rows) << op << "\n" << to_string(rows.error());
    EXPECT_EQ(operator_of(rows->front().call), op);
  }
}

TEST(KernelModels, HaveAtMost16ParametersWhoseGenericValuesArePhysical) {
  const Chip chip{
      .sms = 100, .clock = 1800, .bandwidth = 4e6, .l2 = 5e7, .flops = 1e9, .bf16_flops = 1e9, .link = 4e5};
  for (const auto& [op, text] : one_of_each()) {
    const KernelCall call = read_measurements(text, "rows.csv")->front().call;
    const auto parameters = parameters_of(call);
    EXPECT_LE(parameters.size(), 16U) << op;
    std::vector<double> generic;
    for (const KernelParameter& p : parameters) {
      EXPECT_LT(p.low, p.high) << op << " " << p.name;
      EXPECT_GE(p.generic, p.low) << op << " " << p.name;
      EXPECT_LE(p.generic, p.high) << op << " " << p.name;
      generic.push_back(p.generic);
    }
    const KernelTime t = time_of(call, chip, generic);
    EXPECT_GT(t.total, t.floor) << op;
    EXPECT_GT(t.floor, 0) << op;
    EXPECT_GE(t.total, std::max(t.compute, t.memory) * 0.999) << op;
    EXPECT_LT(t.total, 10000) << op;
  }
}

TEST(Measurements, OfAProfilerAreRoundedAndNameWhatRunsOverRows) {
  const std::string header = "op,tp,m,n,k,latency_us,min_us,max_us\n";
  const auto rows = read_measurements(
      header +
          "mlp_act,1,512,11008,0,30,29,40\ninput_layernorm,1,8,4096,0,5,5,6\nmlp_up_proj,2,8,64,32,5,5,6\n",
      "rows.csv");
  ASSERT_TRUE(rows) << to_string(rows.error());
  const Elementwise& gate = std::get<Elementwise>((*rows)[0].call);
  EXPECT_EQ(gate.rows, 512);
  EXPECT_EQ(gate.row_bytes, 3 * 11008 * 2);  // two halves read, one written
  EXPECT_EQ(gate.fixed_bytes, 0);
  EXPECT_EQ(std::get<Elementwise>((*rows)[1].call).fixed_bytes, 4096 * 2);
  EXPECT_EQ(std::get<Gemm>((*rows)[2].call).format, Format::fp16);
  for (const Measurement& row : *rows) EXPECT_EQ(row.resolution, 1);
  const std::string attention =
      "phase,attn_dtype,kv_dtype,batch,q_len,kv_len,num_q_heads,num_kv_heads,head_dim,window,latency_us,min_"
      "us,"
      "max_us\ncontext,fp16,fp16,1,64,96,32,4,128,0,15,15,15\n";
  EXPECT_EQ(read_measurements(attention, "rows.csv")->front().resolution, 1);
  EXPECT_EQ(read_measurements("dtype,m,n,k,latency_us\nbf16,1,2,3,4\n", "rows.csv")->front().resolution, 0);
  EXPECT_NE(
      errors_of(header + "mlp_up_proj,1,8,4096,0,5,5,6\n").find("rows.csv:2:1: error: op: \"mlp_up_proj\""),
      std::string::npos);
}

TEST(Measurements, OfConstantStatesNeedTheFieldsOfTheirKernel) {
  const std::string header =
      "kernel,batch,seq_len,d_conv,num_k_heads,head_k_dim,num_v_heads,head_v_dim,d_state,nheads,head_dim,"
      "n_groups,latency_us\n";
  const auto rows = read_measurements(header +
                                          "causal_conv1d_update,2,1,4,16,128,32,128,,,,,4\n"
                                          "causal_conv1d_fn,2,64,4,,,,,128,64,64,8,5\n",
                                      "rows.csv");
  ASSERT_TRUE(rows) << to_string(rows.error());
  EXPECT_EQ(std::get<LinearAttention>((*rows)[0].call).channels, 16 * 128);
  EXPECT_EQ(std::get<LinearAttention>((*rows)[1].call).channels, 64 * 64 + 2 * 8 * 128);
  EXPECT_EQ(errors_of(header + "chunk_gated_delta_rule,2,64,4,16,128,,128,,,,,9\n"),
            "rows.csv:2:38: error: num_v_heads: \"\" is not a number\n");
  EXPECT_NE(
      errors_of(header + "scan,2,64,4,16,128,32,128,,,,,9\n").find("rows.csv:2:1: error: kernel: \"scan\""),
      std::string::npos);
}

TEST(Measurements, OfExchangesNameTheGpusOfANode) {
  const std::string header = "op,num_gpus,gpus_per_node,message_bytes,latency_us,min_us,max_us\n";
  const auto rows = read_measurements(header + "all_reduce,16,8,2048,60,50,99\n", "rows.csv");
  ASSERT_TRUE(rows) << to_string(rows.error());
  EXPECT_TRUE(std::get<EagerCollective>(rows->front().call).crosses_network());
  EXPECT_EQ(errors_of(header + "all_reduce,4,8,2048,60,50,99\n"),
            "rows.csv:2:14: error: gpus_per_node: 8 of 4 GPUs\n");
}

TEST(Measurements, SayWhereEachMistakeStands) {
  const std::string header = "dtype,m,n,k,latency_us\n";
  EXPECT_EQ(errors_of(header + "bf16,1,two,3,4\n"), "rows.csv:2:8: error: n: \"two\" is not a number\n");
  EXPECT_EQ(errors_of(header + "bf16,1,2,3,4\nbf16,1,0,3,-1\n"),
            "rows.csv:3:8: error: n: must be positive, is 0\nrows.csv:3:12: error: latency_us: must be "
            "positive, is -1\n");
  EXPECT_EQ(errors_of(header + "bf16,1,2,3\n"), "rows.csv:2:1: error: 4 fields where the header names 5\n");
  EXPECT_EQ(errors_of(header), "rows.csv:1:1: error: the file has no rows\n");
  EXPECT_EQ(errors_of(""), "rows.csv:1:1: error: the file is empty; a header line is needed\n");
  EXPECT_NE(
      errors_of(header + "bf17,1,2,3,4\n").find("rows.csv:2:1: error: dtype: \"bf17\" is not one of bf16"),
      std::string::npos);
  EXPECT_NE(errors_of("a,b\n1,2\n").find("rows.csv:1:1: error: no kernel has these columns"),
            std::string::npos);
}

TEST(Measurements, RefuseNumbersThatAreNone) {
  const std::string header = "dtype,m,n,k,latency_us\n";
  for (const std::string bad : {"nan", "inf", "", " 1", "1e400", "1;"})
    EXPECT_NE(errors_of(header + "bf16,1,2,3," + bad + "\n"), "") << bad;
}

}  // namespace
}  // namespace inferometer
